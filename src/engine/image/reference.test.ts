import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, oneof, property, string, stringMatching } from 'fast-check';
import { familiarReference, formatReference, parseReference } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

const normalised: readonly [given: string, whole: string, familiar: string][] = [
  ['debian', 'docker.io/library/debian:latest', 'debian:latest'],
  ['debian:12', 'docker.io/library/debian:12', 'debian:12'],
  ['index.docker.io/debian', 'docker.io/library/debian:latest', 'debian:latest'],
  ['docker.io/library/debian', 'docker.io/library/debian:latest', 'debian:latest'],
  ['team/app', 'docker.io/team/app:latest', 'team/app:latest'],
  ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
  ['localhost:5000/app:1', 'localhost:5000/app:1', 'localhost:5000/app:1'],
  ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
  [
    'public.ecr.aws/docker/library/debian',
    'public.ecr.aws/docker/library/debian:latest',
    'public.ecr.aws/docker/library/debian:latest',
  ],
  ['Host/app', 'Host/app:latest', 'Host/app:latest'],
  [`debian@${digest}`, `docker.io/library/debian@${digest}`, `debian@${digest}`],
  [`debian:12@${digest}`, `docker.io/library/debian@${digest}`, `debian@${digest}`],
];

for (const [given, whole, familiar] of normalised)
  test(`${given} is ${whole}`, () => {
    const reference = parseReference(given);
    assert.equal(formatReference(reference), whole);
    assert.equal(familiarReference(reference), familiar);
  });

const refused: readonly [given: string, message: string][] = [
  ['', 'invalid reference format'],
  [':1', 'invalid reference format'],
  ['a//b', 'invalid reference format'],
  ['-a', 'invalid reference format'],
  ['a b', 'invalid reference format'],
  ['app:', 'invalid reference format'],
  ['app:-x', 'invalid reference format'],
  ['App', 'invalid reference format: repository name (library/App) must be lowercase'],
  ['app@sha256:abc', 'invalid checksum digest format'],
  ['http://host.example/app', 'invalid reference format'],
  ['a'.repeat(64), `invalid repository name (${'a'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  [`host.example/${'a/'.repeat(130)}a`, 'repository name must not be more than 255 characters'],
];

for (const [given, message] of refused)
  test(`"${given.slice(0, 30)}" is refused`, () => {
    assert.throws(() => parseReference(given), { kind: 'InvalidArgument', message });
  });

test('whatever is given, a reference is refused or reads the same again', () => {
  check(
    property(oneof(string(), stringMatching(/^[a-z0-9.:/@-]{1,40}$/)), (text) => {
      let whole: string;
      try {
        whole = formatReference(parseReference(text));
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'InvalidArgument');
        return;
      }
      assert.equal(formatReference(parseReference(whole)), whole);
      assert.equal(formatReference(parseReference(familiarReference(parseReference(whole)))), whole);
    }),
  );
});
