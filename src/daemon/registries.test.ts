import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localRegistries } from './registries.ts';

const registries = localRegistries(4566);
const urls = (host: string) => registries.endpoints(host).map(({ url }) => url);

test('every private ECR is the local registry, named by its Host header', () => {
  const host = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
  assert.deepEqual(registries.endpoints(host), [{ url: 'http://127.0.0.1:4566', hostHeader: host }]);
  assert.deepEqual(urls('1234.dkr.ecr.eu-west-1.amazonaws.com'), ['https://1234.dkr.ecr.eu-west-1.amazonaws.com']);
});

test('the public gallery is tried here before the real one', () => {
  assert.deepEqual(urls('public.ecr.aws'), ['http://127.0.0.1:4566', 'https://public.ecr.aws']);
});

test('loopback registries speak plain HTTP, others TLS', () => {
  assert.deepEqual(urls('localhost:5000'), ['http://localhost:5000']);
  assert.deepEqual(urls('127.0.0.1:5000'), ['http://127.0.0.1:5000']);
  assert.deepEqual(urls('registry.example.com:5000'), ['https://registry.example.com:5000']);
});

test('an image of Docker Hub falls back to the local gallery', () => {
  assert.deepEqual(registries.fallback('docker.io', 'library/debian'), {
    host: 'public.ecr.aws',
    repository: 'docker/library/debian',
  });
  assert.equal(registries.fallback('registry.example.com', 'a/b'), undefined);
});
