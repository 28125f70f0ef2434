import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ManualClock, silentLogger, systemRandom } from '#base';
import { memoryStore, type Store } from '#store';
import { type Answer, caller, refused } from '../test-calls.ts';
import { createLogs } from './index.ts';

describe('logs', () => {
  const clock = new ManualClock();
  let directory: string;
  let store: Store;
  let call: ReturnType<typeof caller>;
  const open = () => {
    const { definition } = createLogs({ store, directory, clock, random: systemRandom, logger: silentLogger });
    call = caller(() => definition);
  };
  const names = { logGroupName: '/ecs/app', logStreamName: 'web/web/1' };
  const put = (...events: readonly (readonly [number, string])[]) =>
    call('PutLogEvents', {
      ...names,
      logEvents: events.map(([offset, message]) => ({ timestamp: clock.now() + offset, message })),
    });
  const messages = async (input: object = {}) =>
    (await call('GetLogEvents', { ...names, startFromHead: true, ...input })).events.map(
      (event: Answer) => event.message,
    );
  const found = async (filterPattern: string) =>
    (await call('FilterLogEvents', { logGroupName: names.logGroupName, filterPattern })).events.length;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'logs-'));
    store = memoryStore();
    open();
    await call('CreateLogGroup', { logGroupName: names.logGroupName });
    await call('CreateLogStream', names);
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('groups and streams: made once, found by prefix, gone with what they held', async () => {
    await assert.rejects(
      call('CreateLogGroup', { logGroupName: '/ecs/app' }),
      refused('ResourceAlreadyExistsException', 'log group'),
    );
    await assert.rejects(call('CreateLogStream', names), refused('ResourceAlreadyExistsException', 'log stream'));
    await assert.rejects(
      call('CreateLogStream', { ...names, logGroupName: 'nowhere' }),
      refused('ResourceNotFoundException', 'log group does not exist'),
    );
    await assert.rejects(
      call('PutLogEvents', { ...names, logStreamName: 'x', logEvents: [] }),
      refused('ResourceNotFoundException', 'log stream'),
    );
    await put([0, 'before']);
    assert.equal((await call('DescribeLogGroups', { logGroupNamePrefix: '/ecs' })).logGroups.length, 1);
    await call('DeleteLogGroup', { logGroupName: names.logGroupName });
    await call('CreateLogGroup', { logGroupName: names.logGroupName });
    await call('CreateLogStream', names);
    assert.deepEqual(await messages(), []);
  });

  test('events come back by time, both ways, and tokens go on from there', async () => {
    await put([0, 'a'], [10, 'b'], [20, 'c']);
    await put([5, 'late'], [30, 'd']);
    assert.deepEqual(await messages(), ['a', 'late', 'b', 'c', 'd']);
    assert.deepEqual(await messages({ startFromHead: false, limit: 2 }), ['c', 'd']);
    const first = await call('GetLogEvents', { ...names, startFromHead: true, limit: 3 });
    const next = await call('GetLogEvents', { ...names, nextToken: first.nextForwardToken });
    assert.deepEqual(
      next.events.map((event: Answer) => event.message),
      ['c', 'd'],
    );
    const end = await call('GetLogEvents', { ...names, nextToken: next.nextForwardToken });
    assert.equal(end.nextForwardToken, next.nextForwardToken);
    await put([40, 'e']);
    assert.deepEqual(await messages({ nextToken: end.nextForwardToken }), ['e']);
    assert.deepEqual(await messages({ nextToken: next.nextBackwardToken, limit: 2 }), ['late', 'b']);
    assert.deepEqual(await messages({ startTime: clock.now() + 10, endTime: clock.now() + 20 }), ['b']);
  });

  test('what was answered outlives the process, a torn line does not', async () => {
    await put([0, 'kept']);
    const [file] = await readdir(directory, { recursive: true }).then((all) =>
      all.filter((name) => name.endsWith('.jsonl')),
    );
    await appendFile(join(directory, file!), '[1,2,3,"half');
    open();
    await put([1, 'after']);
    assert.deepEqual(await messages(), ['kept', 'after']);
  });

  test('many events fill segments, and all come back in pages', async () => {
    const long = 'x'.repeat(1000);
    for (let batch = 0; batch < 4; batch++)
      await put(
        ...Array.from({ length: 800 }, (_, index) => [batch * 800 + index, `${batch * 800 + index} ${long}`] as const),
      );
    const files = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.jsonl'));
    assert.ok(files.length > 1, 'the first segment was sealed');
    open();
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const page: Answer = await call('FilterLogEvents', { logGroupName: names.logGroupName, nextToken, limit: 700 });
      seen.push(...page.events.map((event: Answer) => event.message.split(' ')[0]));
      nextToken = page.nextToken;
    } while (nextToken);
    assert.deepEqual(
      seen,
      Array.from({ length: 3200 }, (_, index) => String(index)),
    );
  });

  test('batches are checked as the service checks them', async () => {
    await assert.rejects(put([10, 'b'], [0, 'a']), refused('InvalidParameterException', 'chronological order'));
    await assert.rejects(
      put([0, 'x'.repeat(1_048_576)]),
      refused('InvalidParameterException', 'Upload too large: 1048602 bytes'),
    );
    await assert.rejects(
      put([0, 'a'], [86_400_001, 'b']),
      refused('InvalidParameterException', 'span more than 24 hours'),
    );
    const day = 86_400_000;
    const old = await put([-15 * day, 'old'], [-15 * day + 1, 'old']);
    assert.deepEqual(old.rejectedLogEventsInfo, { tooOldLogEventEndIndex: 2 });
    const mixed = await put([0, 'now'], [3 * 3_600_000, 'future']);
    assert.deepEqual(mixed.rejectedLogEventsInfo, { tooNewLogEventStartIndex: 1 });
    assert.deepEqual(await messages(), ['now']);
    await assert.rejects(
      call('PutRetentionPolicy', { logGroupName: names.logGroupName, retentionInDays: 8 }),
      refused('InvalidParameterException'),
    );
    await call('PutRetentionPolicy', { logGroupName: names.logGroupName, retentionInDays: 1 });
    clock.advance(2 * day);
    assert.deepEqual(await messages(), []);
  });

  test('filter patterns: terms, JSON, columns', async () => {
    await put(
      [1, '{"level":"error","ms":250}'],
      [2, '{"level":"info","ms":5}'],
      [3, 'ERROR till jammed'],
      [4, '10.0.0.1 GET 503 99'],
    );
    const expected = {
      'ERROR -calm': 1,
      'ERROR -till': 0,
      '?ERROR ?GET': 2,
      '"till jammed"': 1,
      '%50[0-9]%': 1,
      '{ $.level = "error" && $.ms > 100 }': 1,
      '{ $.level = "err*" || ($.ms <= 5 && $.level != "x") }': 2,
      '{ $.none NOT EXISTS }': 2,
      '[ip, verb, status=5*, size]': 1,
      '[..., size > 100]': 0,
      '[ip, ..., size = 99]': 1,
      nowhere: 0,
    };
    for (const [pattern, count] of Object.entries(expected)) assert.equal(await found(pattern), count, pattern);
    await assert.rejects(found('{ $.level = '), refused('InvalidParameterException'));
  });

  test('filtering goes through every stream in the order of time', async () => {
    const other = { ...names, logStreamName: 'api/api/2' };
    await call('CreateLogStream', other);
    await put([0, 'one'], [20, 'three']);
    await call('PutLogEvents', {
      ...other,
      logEvents: [
        { timestamp: clock.now() + 10, message: 'two' },
        { timestamp: clock.now() + 20, message: 'three' },
      ],
    });
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const page: Answer = await call('FilterLogEvents', { logGroupName: names.logGroupName, limit: 1, nextToken });
      seen.push(...page.events.map((event: Answer) => `${event.logStreamName.slice(0, 3)} ${event.message}`));
      nextToken = page.nextToken;
    } while (nextToken);
    assert.deepEqual(seen, ['web one', 'api two', 'api three', 'web three']);
    const { logStreams } = await call('DescribeLogStreams', {
      logGroupName: names.logGroupName,
      orderBy: 'LastEventTime',
      descending: true,
    });
    assert.equal(logStreams.length, 2);
    assert.equal(logStreams[0].lastEventTimestamp, clock.now() + 20);
  });
});
