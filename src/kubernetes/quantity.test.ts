import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  isQuantity,
  milliValue,
  parseQuantity,
  quantityOf,
  quantityValue,
} from './quantity.ts';

const canonical = {
  '0': '0',
  '0Mi': '0',
  '1000m': '1',
  '100m': '100m',
  '0.1': '100m',
  '.5': '500m',
  '5.': '5',
  '1500m': '1500m',
  '1000': '1k',
  '1500': '1500',
  '1024': '1024',
  '1024Ki': '1Mi',
  '1000Ki': '1000Ki',
  '0.5Gi': '512Mi',
  '1.5Mi': '1536Ki',
  '0.5Ki': '512',
  '1023Ki': '1023Ki',
  '1e3': '1e3',
  '10e2': '1e3',
  '1E3': '1e3',
  '1E': '1E',
  '-5m': '-5m',
  '+5': '5',
  '1.2345678911n': '2n',
  '0.0000000001': '1n',
  '9223372036854775808': '9223372036854775807',
  '999999E': '9223372036854775807',
};
for (const [text, expected] of Object.entries(canonical))
  test(`${text} is written ${expected}`, () => assert.equal(canonicalQuantity(text), expected));

for (const text of ['', ' ', 'a', '1a', '1 Gi', '1ki', '1KB', '--1', '1.2.3', '1e', 'Gi', '.', '1ei', '1e9999999999'])
  test(`"${text}" is no quantity`, () => {
    assert.equal(isQuantity(text), false);
    assert.throws(() => parseQuantity(text), { kind: 'InvalidArgument' });
  });

test('values are rounded up', () => {
  assert.equal(quantityValue('100m'), 1);
  assert.equal(quantityValue('128Mi'), 134217728);
  assert.equal(milliValue('0.1'), 100);
  assert.equal(milliValue('1u'), 1);
  assert.equal(milliValue('-1500u'), -2);
});

test('quantities are compared and added across formats', () => {
  assert.equal(compareQuantities('1Gi', '1G'), 1);
  assert.equal(compareQuantities('1000m', '1'), 0);
  assert.equal(formatQuantity(addQuantities(parseQuantity('0'), parseQuantity('1Gi'))), '1Gi');
  assert.equal(formatQuantity(quantityOf(0.25)), '250m');
});

test('writing is canonical: reading it back changes nothing', () => {
  const written = fc
    .tuple(
      fc.bigInt(-(10n ** 20n), 10n ** 20n),
      fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'Ki', 'Mi', 'Gi', 'e2', 'e-3'),
    )
    .map(([digits, suffix]) => `${digits}${suffix}`);
  fc.assert(
    fc.property(written, (text) => {
      const once = formatQuantity(parseQuantity(text));
      assert.equal(formatQuantity(parseQuantity(once)), once);
      assert.equal(compareQuantities(once, text), 0);
    }),
  );
});

test('hostile text is refused quickly', () => {
  fc.assert(fc.property(fc.string({ maxLength: 600 }), (text) => typeof isQuantity(text) === 'boolean'));
  assert.equal(isQuantity('9'.repeat(100_000)), false);
});
