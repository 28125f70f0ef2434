import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readmeWithCoverage } from '../../scripts/readme-coverage.ts';

test('the coverage table of the README is what the code says', async () => {
  const { current, computed } = await readmeWithCoverage();
  assert.match(computed, /\| ecs \| [1-9]\d* \| \d+ \|/, 'the guard looked at the services');
  assert.equal(current, computed, 'run: node scripts/readme-coverage.ts');
});
