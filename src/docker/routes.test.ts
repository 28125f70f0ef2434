import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter } from './router.ts';
import { dockerCoverage, routes } from './routes.ts';

const route = createRouter(routes);

test('paths find their operation, with and without a version, names with slashes too', () => {
  const found = (method: string, path: string) => {
    const {
      route: [verb, pattern],
      params,
      minorVersion,
    } = route(method, path);
    return [`${verb} ${pattern}`, params, minorVersion];
  };
  assert.deepEqual(found('GET', '/v1.41/containers/a%20b/json'), ['GET /containers/{id}/json', { id: 'a b' }, 41]);
  assert.deepEqual(found('GET', '/images/json'), ['GET /images/json', {}, 51]);
  assert.deepEqual(found('GET', '/v1.50/images/example.com:5000/a/b:c/json'), [
    'GET /images/{name…}/json',
    { name: 'example.com:5000/a/b:c' },
    50,
  ]);
  assert.deepEqual(found('DELETE', '/v1.50/images/a/b'), ['DELETE /images/{name…}', { name: 'a/b' }, 50]);
});

test('what is no operation, too new, too old or malformed is refused', () => {
  assert.throws(() => route('GET', '/nowhere'), { kind: 'NotFound', message: 'page not found' });
  assert.throws(() => route('PATCH', '/info'), { kind: 'NotFound' });
  assert.throws(() => route('GET', '/v1.52/info'), /client version 1\.52 is too new/);
  assert.throws(() => route('GET', '/v1.12/info'), /client version 1\.12 is too old/);
  assert.throws(() => route('GET', '/containers/%zz/json'), /not a well-formed path/);
});

test('the table names every published operation once', () => {
  const operations = dockerCoverage().map(({ operation }) => operation);
  assert.equal(new Set(operations).size, operations.length);
  assert.equal(operations.length, 108);
  assert.ok(dockerCoverage().filter(({ isSupported }) => isSupported).length > 35);
});
