import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goFileMode } from './file-mode.ts';
import { instantOf } from './instant.ts';

test('modes are told as Go writes them', () => {
  const modes = [
    [0o100644, 0o644],
    [0o040755, 0x80000000 + 0o755],
    [0o120777, 0x08000000 + 0o777],
    [0o020620, 0x04200000 + 0o620],
    [0o060660, 0x04000000 + 0o660],
    [0o010600, 0x02000000 + 0o600],
    [0o140755, 0x01000000 + 0o755],
    [0o104755, 0x00800000 + 0o755],
    [0o102755, 0x00400000 + 0o755],
    [0o041777, 0x80000000 + 0x00100000 + 0o777],
  ] as const;
  for (const [unix, go] of modes) assert.equal(goFileMode(unix), go, unix.toString(8));
});

test('an until is a span before now or an instant', () => {
  const now = Date.parse('2026-11-23T12:00:00Z');
  assert.equal(instantOf('1h30m', now), now - 90 * 60_000);
  assert.equal(instantOf('1.5s', now), now - 1500);
  assert.equal(instantOf('1700000000', now), 1_700_000_000_000);
  assert.equal(instantOf('2026-01-02T03:04:05Z', now), Date.parse('2026-01-02T03:04:05Z'));
  assert.throws(() => instantOf('soon', now), { kind: 'InvalidArgument' });
});
