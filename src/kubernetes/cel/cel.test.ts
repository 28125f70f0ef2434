import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CelError, compileCel } from './cel.ts';

const evaluate = (expression: string, self: unknown = {}) => compileCel(expression, ['self']).evaluate({ self });

const truths: readonly string[] = [
  'self.list.all(x, x > 0) && self.list.exists(x, x == 2)',
  'has(self.name) && !has(self.nothing)',
  'self.name.matches("^w") && self.name.replace("w", "v") == "veb"',
  'self.list.sum() == 3 && self.list.max() == 2 && self.list.isSorted()',
  '"a1b2".findAll("[0-9]") == ["1", "2"] && "%s-%d".format([self.name, 3]) == "web-3"',
  'quantity("1Gi").isGreaterThan(quantity("1G")) && isQuantity("5m") && !isQuantity("x")',
  'quantity("500m").add(quantity("500m")).compareTo(quantity("1")) == 0',
  'isIP("10.0.0.1") && isCIDR("10.0.0.0/8") && !isCIDR("10.0.0.0/40") && isURL("https://a.b")',
  'self.?nothing.orValue("x") == "x"',
];
for (const expression of truths)
  test(expression, () => assert.equal(evaluate(expression, { name: 'web', list: [1n, 2n] }), true));

test('what has no value says why', () => {
  assert.throws(() => evaluate('self.nothing == 1'), { message: 'No such key: nothing' });
  assert.throws(() => evaluate('self.a + 1', { a: 'x' }), CelError);
});

test('what is no expression is told when it is compiled', () => {
  for (const expression of ['self.', 'other == 1', '1 +', `${'('.repeat(5000)}1`])
    assert.throws(() => compileCel(expression, ['self']), CelError, expression.slice(0, 20));
});

test('a program knows which variables it names', () => {
  const program = compileCel('self.oldSelf == 1 && size("x") == 1', ['self', 'oldSelf']);
  assert.equal(program.mentions('self'), true);
  assert.equal(program.mentions('oldSelf'), false);
});
