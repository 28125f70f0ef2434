import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, jsonValue, property } from 'fast-check';
import { DabbaError, digestOf } from '#base';
import { decodeConfig, encodeConfig } from './config.ts';
import { choosePlatform, parseManifest } from './manifest.ts';

const digest = digestOf('x');
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

test('a config says the same after writing and reading', () => {
  const request = {
    config: {
      User: 'web',
      Env: ['A=b'],
      Cmd: ['run'],
      ExposedPorts: { '80/tcp': {} },
      Labels: { a: 'b' },
      Healthcheck: { Test: ['CMD', 'true'], Interval: 1_000_000_000 },
    },
    diffIds: [digest],
    history: [{ created_by: 'RUN x' }, { created_by: 'ENV', empty_layer: true }],
    references: [],
    architecture: 'arm64',
    author: 'me',
  };
  const bytes = encodeConfig(request, 1_700_000_000_123);
  const { id, createdAt, ...read } = decodeConfig(bytes);
  assert.equal(id, digestOf(bytes));
  assert.equal(createdAt, 1_700_000_000_123);
  const { references: _, ...wanted } = request;
  assert.deepEqual(read, { ...wanted, os: 'linux' });
});

test("Go's nulls are absences, and unknown members are left out", () => {
  const image = decodeConfig(
    json({
      config: { Env: null, Cmd: ['a'], Entrypoint: null, Volumes: null, OnBuild: null, Surprise: 1 },
      history: null,
      rootfs: { diff_ids: null },
      created: '2024-05-06T07:08:09.123456789Z',
    }),
  );
  assert.deepEqual(image.config, { Cmd: ['a'] });
  assert.deepEqual(image.diffIds, []);
  assert.equal(image.createdAt, Date.UTC(2024, 4, 6, 7, 8, 9, 123));
});

test('any document is understood or refused', () => {
  check(
    property(jsonValue(), (value) => {
      for (const read of [decodeConfig, (bytes: Buffer) => parseManifest(bytes, undefined)])
        for (const document of [
          value,
          { rootfs: {}, config: value, history: value },
          { config: value, layers: value },
          { manifests: value },
        ])
          try {
            read(json(document));
          } catch (error) {
            assert.ok(error instanceof DabbaError, String(error));
          }
    }),
  );
});

test('an index leads to the manifest of a platform', () => {
  const of = (architecture: string, os = 'linux') => ({
    mediaType: 'm',
    digest,
    size: architecture.length,
    platform: { architecture, os },
  });
  const index = parseManifest(
    json({ schemaVersion: 2, manifests: [of('amd64', 'windows'), of('arm64'), of('amd64')] }),
    undefined,
  );
  assert.equal(index.kind, 'index');
  assert.deepEqual(choosePlatform(index, { os: 'linux', architecture: 'amd64' }), of('amd64'));
  assert.equal(choosePlatform(index, { os: 'linux', architecture: 'riscv64' }), undefined);
});

test('a manifest that lies about itself is refused', () => {
  const good = { mediaType: 'm', digest, size: 1 };
  const refuse = (document: unknown, kind = 'InvalidArgument') =>
    assert.throws(() => parseManifest(json(document), undefined), { kind });
  refuse({ config: good, layers: [{ ...good, size: -1 }] });
  refuse({ config: good, layers: [{ ...good, digest: 'sha256:zz' }] });
  refuse({ config: good });
  refuse({ config: good, layers: Array.from({ length: 501 }, () => good) });
  refuse({ schemaVersion: 1, fsLayers: [] }, 'Unimplemented');
  assert.throws(() => parseManifest(Buffer.from('{'), undefined), { kind: 'InvalidArgument' });
});
