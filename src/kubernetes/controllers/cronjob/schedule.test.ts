import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSchedule } from './schedule.ts';
import { isTimeZone, localTimeAt } from './time-zone.ts';

const next = (schedule: string, after: string, zone = 'UTC') => {
  const at = parseSchedule(schedule, zone).next(Date.parse(after));
  return at === undefined ? undefined : new Date(at).toISOString().slice(0, 16);
};

test('the next time of a schedule', () => {
  assert.equal(next('*/5 * * * *', '2026-01-01T00:00:00Z'), '2026-01-01T00:05');
  assert.equal(next('*/5 * * * *', '2026-01-01T00:04:59Z'), '2026-01-01T00:05');
  assert.equal(next('30 9 * * mon-fri', '2026-01-02T10:00:00Z'), '2026-01-05T09:30');
  assert.equal(next('0 0 29 2 *', '2026-01-01T00:00:00Z'), '2028-02-29T00:00');
  assert.equal(next('0 0 30 2 *', '2026-01-01T00:00:00Z'), undefined);
  assert.equal(next('@hourly', '2026-01-01T00:00:00Z'), '2026-01-01T01:00');
  assert.equal(next('@every 90m', '2026-01-01T00:00:00Z'), '2026-01-01T01:30');
  assert.equal(next('0-10/5,40 3 * JAN ?', '2026-01-01T03:10:00Z'), '2026-01-01T03:40');
});

test('with both day fields given, one is enough', () => {
  assert.equal(next('0 0 13 * 5', '2026-01-01T00:00:00Z'), '2026-01-02T00:00');
  assert.equal(next('0 0 13 * 5', '2026-01-10T00:00:00Z'), '2026-01-13T00:00');
});

test('a schedule is read on the wall clock of its zone', () => {
  assert.equal(next('0 9 * * *', '2026-01-01T00:00:00Z', 'America/New_York'), '2026-01-01T14:00');
  assert.equal(next('0 9 * * *', '2026-07-01T00:00:00Z', 'America/New_York'), '2026-07-01T13:00');
  // An hour that the clocks skip does not come that day.
  assert.equal(next('30 2 8 3 *', '2026-03-01T00:00:00Z', 'America/New_York'), '2027-03-08T07:30');
  assert.equal(next('0 0 * * *', '2026-09-05T12:00:00Z', 'America/Santiago'), '2026-09-07T03:00');
});

test('what is wrong is said', () => {
  for (const [text, message] of [
    ['* * * *', /expected exactly 5 fields, found 4/],
    ['60 * * * *', /out of range/],
    ['* * * * mun', /failed to parse number/],
    ['*/0 * * * *', /positive number/],
    ['@often', /unrecognized descriptor/],
    ['5-1 * * * *', /out of range/],
  ] as const)
    assert.throws(() => parseSchedule(text, 'UTC'), message);
  assert.ok(isTimeZone('Europe/Zurich') && !isTimeZone('Mars/Olympus') && !isTimeZone('+01:00'));
});

test('every answer lies ahead and fits', () => {
  const zones = fc.constantFrom('UTC', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe');
  const instants = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2035, 0, 1) });
  fc.assert(
    fc.property(fc.nat(59), fc.nat(23), zones, instants, (minute, hour, zone, after) => {
      const at = parseSchedule(`${minute} ${hour} * * *`, zone).next(after)!;
      const local = localTimeAt(at, zone);
      assert.ok(at > after && at - after <= 49 * 3_600_000);
      assert.deepEqual([local.hour, local.minute], [hour, minute]);
    }),
    { numRuns: 200 },
  );
});
