import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CelError, compileCel } from './cel.ts';
import { TOTAL_LIMIT, withinCost } from './cost.ts';

const exceeded = (error: unknown) => error instanceof CelError && /cost limit exceeded/.test(error.message);
const evaluate = (expression: string, self: unknown) => compileCel(expression, ['self']).evaluate({ self });
const numbers = Array.from({ length: 1000 }, (_, index) => BigInt(index));
const text = 'a'.repeat(1_000_000);

test('what is nested too deep to be finished is given up', { timeout: 20_000 }, () => {
  const nested = [
    'self.all(a, self.all(b, self.all(c, a + b + c >= 0)))',
    'self.map(a, self.map(b, self.map(c, a))).size() > 0',
    'self.exists(a, self.exists(b, self.exists(c, self.exists(d, d < 0))))',
    'self.filter(a, self.exists_one(b, self.exists(c, c == -1))).size() == 0',
  ];
  for (const expression of nested) {
    const startedAt = performance.now();
    assert.throws(() => evaluate(expression, numbers), exceeded, expression);
    assert.ok(performance.now() - startedAt < 5000, expression);
  }
});

test('what is long costs more, however few the words', { timeout: 20_000 }, () => {
  const self = { list: numbers, text, items: numbers.map((number) => ({ number, text: text.slice(0, 1000) })) };
  assert.throws(() => evaluate('self.list.all(x, self.text.matches("(a|aa)+b") || true)', self), exceeded);
  assert.throws(() => evaluate('self.list.all(x, self.items == self.items)', self), exceeded);
  assert.throws(
    () =>
      evaluate('self.list.all(x, !(x + 5000 in self.list))', {
        list: [...numbers, ...numbers, ...numbers, ...numbers],
      }),
    exceeded,
  );
});

test('honest rules stay within their bounds', () => {
  assert.equal(evaluate('self.all(x, x >= 0 && self.exists(y, y == x))', numbers.slice(0, 100)), true);
  assert.equal(evaluate('self.matches("^a+$")', text.slice(0, 100_000)), true);
  assert.equal(evaluate('self.map(x, x * 2).filter(x, x > 10).size() > 5', numbers), true);
});

test('several expressions share what they may cost together', () => {
  const program = compileCel('self.all(x, self.all(y, x + y >= 0))', ['self']);
  const self = numbers.slice(0, 300);
  program.evaluate({ self });
  assert.throws(
    () =>
      withinCost(TOTAL_LIMIT, () => {
        for (let round = 0; round < 100; round += 1) program.evaluate({ self });
      }),
    exceeded,
  );
  assert.equal(program.evaluate({ self }), true, 'the next has a bound of its own');
});
