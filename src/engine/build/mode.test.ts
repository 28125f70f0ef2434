import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeMode, parseMode } from './mode.ts';

test('modes change as chmod(1) changes them', () => {
  const cases: readonly (readonly [text: string, mode: number, expected: number, isDirectory?: true])[] = [
    ['755', 0o600, 0o755],
    ['01777', 0o755, 0o1777],
    ['u=rwX,go=rX', 0o600, 0o644],
    ['u=rwX,go=rX', 0o700, 0o755],
    ['u=rwX,go=rX', 0o700, 0o755, true],
    ['u=rwX,go=rX', 0o600, 0o755, true],
    ['a+x', 0o644, 0o755],
    ['+x', 0o644, 0o755],
    ['+w', 0o444, 0o644],
    ['go-rwx', 0o755, 0o700],
    ['g=u', 0o640, 0o660],
    ['u+s,o+t', 0o755, 0o5755],
    ['u-x+r', 0o755, 0o655],
    ['a=', 0o755, 0],
  ];
  for (const [text, mode, expected, isDirectory = false] of cases)
    assert.equal(changeMode(parseMode(text)!, mode, isDirectory).toString(8), expected.toString(8), text);
});

test('what is no mode is none', () => {
  for (const text of ['', '8', '999', 'rwx', 'u', 'u=rwz', 'u=rw,', 'b+x', '7777777'])
    assert.equal(parseMode(text), undefined, text);
});
