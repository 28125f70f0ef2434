import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialsFor } from './pull-secrets.ts';

function secret(auths: object) {
  const text = JSON.stringify({ auths });
  return {
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(text).toString('base64') },
  };
}

const named = (username: string) => ({ username, password: 'p' });
const users = (image: string, auths: object) => credentialsFor(image, [secret(auths)]).map(({ username }) => username);

test('the most specific place comes first', () => {
  const auths = { 'r.test': named('host'), 'r.test/team': named('team'), 'other.test': named('other') };
  assert.deepEqual(users('r.test/team/app:1', auths), ['team', 'host']);
  assert.deepEqual(users('r.test/app', auths), ['host']);
});

test('Docker Hub has many names, hosts may hold a star for one label', () => {
  assert.deepEqual(users('busybox', { 'https://index.docker.io/v1/': named('hub') }), ['hub']);
  assert.deepEqual(users('me/app', { 'docker.io': named('hub') }), ['hub']);
  const star = { '*.dkr.ecr.*.amazonaws.com': named('ecr') };
  assert.deepEqual(users('1.dkr.ecr.us-east-1.amazonaws.com/app', star), ['ecr']);
  assert.deepEqual(users('dkr.ecr.us-east-1.amazonaws.com/app', star), []);
});

test('`auth` is user and password; garbage is passed over', () => {
  const auth = Buffer.from('u:p:q').toString('base64');
  assert.deepEqual(credentialsFor('r.test/a', [secret({ 'r.test': { auth } })]), [{ username: 'u', password: 'p:q' }]);
  const broken = { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'bm90IGpzb24=' } };
  assert.deepEqual(credentialsFor('r.test/a', [broken, { type: 'Opaque' }, secret({ 'r.test': 7 })]), []);
});
