import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passedBack, passedOn, passedOnUpgrading } from './passed-headers.ts';

const sent = {
  host: ['x'],
  authorization: ['Bearer t'],
  'impersonate-user': ['root'],
  'x-remote-group': ['system:masters'],
  connection: ['keep-alive, X-Own'],
  'x-own': ['1'],
  'transfer-encoding': ['chunked'],
  'proxy-authorization': ['p'],
  upgrade: ['websocket'],
  accept: ['a', 'b'],
};

test('a request goes on without what is of its connection, or says who asks', () => {
  assert.deepEqual(passedOn(sent), { accept: ['a', 'b'] });
});

test('one that leaves HTTP still asks for it', () => {
  const asked = { ...sent, 'content-length': ['5'] };
  assert.deepEqual(passedOnUpgrading(asked), { accept: ['a', 'b'], connection: ['Upgrade'], upgrade: ['websocket'] });
});

test('an answer comes back without what is of its connection', () => {
  const answered = {
    connection: ['close'],
    'keep-alive': ['timeout=5'],
    'content-type': ['a'],
    'set-cookie': ['b', 'c'],
  };
  assert.deepEqual(passedBack(answered), { 'content-type': ['a'], 'set-cookie': ['b', 'c'] });
});
