import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveUser } from './user.ts';

const accounts = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\nbroken line\n#x:x:9:9::/:\n',
  group: 'root:x:0:\nweb:x:1000:\nstaff:x:50:web,other\nlog:x:60:web\n',
};
const resolve = (user: string) => resolveUser(user, accounts);

test('nobody in particular is root', () => {
  assert.deepEqual(resolve(''), { uid: 0, gid: 0, additionalGids: [0], home: '/root' });
});

test('a name brings its group, its home and the groups that list it', () => {
  const expected = { uid: 1000, gid: 1000, additionalGids: [1000, 50, 60], home: '/home/web' };
  assert.deepEqual(resolve('web'), expected);
  assert.deepEqual(resolve('1000'), expected);
});

test('a group given stands alone', () => {
  assert.deepEqual(resolve('web:staff'), { uid: 1000, gid: 50, additionalGids: [50], home: '/home/web' });
  assert.deepEqual(resolve('7:8'), { uid: 7, gid: 8, additionalGids: [8], home: '/' });
  assert.equal(resolve(':staff').gid, 50);
});

test('numbers need no entry, names do', () => {
  assert.deepEqual(resolve('4242'), { uid: 4242, gid: 0, additionalGids: [0], home: '/' });
  assert.throws(() => resolve('ghost'), /unable to find user ghost: no matching entries in passwd file/);
  assert.throws(() => resolve('web:ghosts'), /unable to find group ghosts: no matching entries in group file/);
  assert.throws(() => resolve('4294967295'), /must be in range/);
});

test('an image without account files has root and numbers', () => {
  const none = { passwd: '', group: '' };
  assert.deepEqual(resolveUser('0:0', none), { uid: 0, gid: 0, additionalGids: [0], home: '/' });
});
