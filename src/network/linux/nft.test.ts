import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DabbaError } from '#base';
import { mapOf, setOf, type Ruleset } from '../rules/ruleset.ts';
import { AppliedRulesets } from './nft.ts';

/** An `AppliedRulesets` over a set whose elements the test chooses, with the scripts it ran. */
function applied(isRefused: (script: string) => boolean = () => false) {
  const addresses = new Set<string>();
  const scripts: string[] = [];
  const wanted = (): Ruleset => ({
    table: 't',
    sets: new Map([['s', setOf('type ipv4_addr;', addresses)]]),
    chains: new Map(),
  });
  const rules = new AppliedRulesets(
    () => ({ tables: [wanted()] }),
    async (script) => {
      scripts.push(script);
      if (isRefused(script)) throw new Error('refused');
      return '';
    },
  );
  return { addresses, scripts, rules };
}

test('refreshes of one turn share one run, which sees the latest', async () => {
  const { addresses, scripts, rules } = applied();
  addresses.add('10.0.0.1');
  const first = rules.refresh();
  addresses.add('10.0.0.2');
  await Promise.all([first, rules.refresh()]);
  assert.equal(scripts.length, 1);
  assert.match(scripts[0]!, /10\.0\.0\.1, 10\.0\.0\.2/);
});

test('after the first run only differences are sent, and nothing for no difference', async () => {
  const { addresses, scripts, rules } = applied();
  await rules.refresh();
  await rules.refresh();
  addresses.add('10.0.0.1');
  await rules.refresh();
  assert.equal(scripts.length, 2);
  assert.equal(scripts[1], 'add element ip t s { 10.0.0.1 }\n');
});

test('a refresh during a run waits for the next one', async () => {
  const { addresses, scripts, rules } = applied();
  let second: Promise<unknown> | undefined;
  const first = rules.refresh().then(() => assert.equal(scripts.length, 1));
  await new Promise((resolve) => setImmediate(resolve));
  addresses.add('10.0.0.9');
  second = rules.refresh();
  await Promise.all([first, second]);
  assert.match(scripts.at(-1)!, /10\.0\.0\.9/);
});

test('a refused difference is followed by the whole table', async () => {
  const { addresses, scripts, rules } = applied((script) => script.startsWith('add element'));
  await rules.refresh();
  addresses.add('10.0.0.1');
  await rules.refresh();
  assert.equal(scripts.length, 3);
  assert.match(scripts[2]!, /delete table/);
});

test('a refused table is an error, and sent again next time', async () => {
  const refusals = [true, false];
  const { scripts, rules } = applied(() => refusals.shift()!);
  await assert.rejects(rules.refresh(), /refused/);
  await rules.refresh();
  assert.equal(scripts.length, 2);
});

test('a refused table holds up no other, and is told', async () => {
  const table = (name: string): Ruleset => ({ table: name, sets: new Map(), chains: new Map() });
  const scripts: string[] = [];
  const rules = new AppliedRulesets(
    () => ({ tables: [table('own'), table('bad'), table('good')] }),
    async (script) => {
      scripts.push(script);
      if (script.includes('bad')) throw new Error('refused');
      return '';
    },
  );
  assert.deepEqual([...(await rules.refresh()).keys()], ['bad']);
  assert.equal(scripts.filter((script) => /good/.test(script) && !/bad/.test(script)).length, 1);
  scripts.length = 0;
  assert.deepEqual([...(await rules.refresh()).keys()], ['bad'], 'tried again');
});

test('a table nobody wants any more is removed, one that nobody has spoken for stays', async () => {
  let due: { readonly tables: readonly Ruleset[]; readonly untouched: readonly string[] };
  const own: Ruleset = { table: 'own', sets: new Map(), chains: new Map() };
  const scripts: string[] = [];
  const rules = new AppliedRulesets(
    () => due,
    async (script) => {
      scripts.push(script);
      return '';
    },
  );
  due = { tables: [own], untouched: ['old'] };
  await rules.refresh();
  assert.ok(!scripts[0]!.includes('old'));
  due = { tables: [own], untouched: [] };
  await rules.refresh();
  assert.equal(scripts[1], 'add table ip old\ndelete table ip old\n');
});

test('what packets taught the table of an earlier process is put back in the new one, with what is left of its time', async () => {
  const affinity = mapOf('type ipv4_addr . mark : mark; flags dynamic, timeout;', []);
  const wanted: Ruleset = { table: 't', sets: new Map([['affinity', affinity]]), chains: new Map() };
  const scripts: string[] = [];
  let isThere = true;
  const listing = `table ip t {
\tmap affinity { # handle 1
\t\ttype ipv4_addr . mark : mark
\t\tflags dynamic,timeout
\t\telements = { 10.0.0.1 . 0x00000005 timeout 1m expires 59s976ms : 0x00000077,
\t\t\t     10.0.0.2 . 0x00000005 timeout 3h expires 1h59m59s968ms : 0x00000079 }
\t}
}
`;
  const run = async (script: string) => {
    if (!script.startsWith('list')) return String(scripts.push(script));
    assert.equal(script, 'list map ip t affinity\n');
    if (!isThere) throw new DabbaError('Unavailable', 'no such file');
    return listing;
  };
  const rules = () => new AppliedRulesets(() => ({ tables: [wanted] }), run);
  await rules().refresh();
  const back =
    'add element ip t affinity { 10.0.0.1 . 0x00000005 timeout 1m expires 59s976ms : 0x00000077, 10.0.0.2 . 0x00000005 timeout 3h expires 1h59m59s968ms : 0x00000079 }\n';
  assert.ok(scripts[0]!.endsWith(back));
  isThere = false;
  await rules().refresh();
  assert.ok(!scripts[1]!.includes('add element'));
});
