import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { DabbaError, systemCode } from '#base';
import type { IdMapping, IdRange } from '#engine';

/** The user that `--userns-remap default` stands for, as in dockerd. */
const defaultUser = 'dockremap';
/** How many ids a user has that is made here, and where the first may begin (useradd's own SUB_UID_MIN and SUB_UID_COUNT). */
const [firstId, rangeSize] = [100_000, 65_536] as const;

/**
 * What containers' ids are on the machine, for a value of `--userns-remap`: the ranges of `user` in /etc/subuid and of `group`, or of a group with the
 * user's name, in /etc/subgid, one after the other. `default` is the user `dockremap`, which is made if it is not there. Throws `InvalidArgument` for a
 * user without ranges. Undefined for undefined.
 */
export function subordinateIds(spec: string | undefined): IdMapping | undefined {
  if (spec === undefined) return undefined;
  if (spec === 'default') ensureDefaultUser();
  const [user = '', group] = spec === 'default' ? [defaultUser] : spec.split(':');
  const account = findAccount('/etc/passwd', user);
  const groupAccount = findAccount('/etc/group', group ?? account.name);
  return {
    users: mapRanges('subuid', account, readText('/etc/subuid')),
    groups: mapRanges('subgid', groupAccount, readText('/etc/subgid')),
  };
}

/** An entry of /etc/passwd or /etc/group. */
export interface Account {
  readonly name: string;
  readonly id: string;
}

/** The ranges of an account in the text of /etc/subuid or /etc/subgid (subuid(5)), lowest first, as ids from 0 on. Throws `InvalidArgument`. */
export function mapRanges(kind: 'subuid' | 'subgid', { name, id }: Account, text: string): readonly IdRange[] {
  const ranges = text
    .split('\n')
    .map((line) => /^([^:\s]+):(\d{1,10}):(\d{1,10})\s*$/.exec(line))
    .filter((match) => match !== null && (match[1] === name || match[1] === id))
    .map((match) => ({ outside: Number(match![2]), count: Number(match![3]) }))
    .filter(({ count }) => count > 0)
    .sort((one, other) => one.outside - other.outside);
  if (ranges.length === 0)
    throw new DabbaError('InvalidArgument', `--userns-remap: no ${kind} ranges found for "${name}" in /etc/${kind}`);
  let inside = 0;
  return ranges.map(({ outside, count }) => {
    const range = { inside, outside, count };
    inside += count;
    return range;
  });
}

/** By name or number. Throws `InvalidArgument` when there is none. */
function findAccount(file: '/etc/passwd' | '/etc/group', nameOrId: string): Account {
  const found = accountsOf(readText(file)).find(({ name, id }) => name === nameOrId || id === nameOrId);
  if (found) return found;
  throw new DabbaError('InvalidArgument', `--userns-remap: "${nameOrId}" is not in ${file}`);
}

function accountsOf(text: string): readonly Account[] {
  return text.split('\n').flatMap((line) => {
    const [name, , id] = line.split(':');
    return name && id ? [{ name, id }] : [];
  });
}

/** Makes the default user and gives it ranges, behind all that are given already, unless it has them. */
function ensureDefaultUser(): void {
  if (!accountsOf(readText('/etc/passwd')).some(({ name }) => name === defaultUser))
    execFileSync('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      defaultUser,
    ]);
  for (const [kind, option] of [
    ['subuid', '--add-subuids'],
    ['subgid', '--add-subgids'],
  ] as const) {
    const text = readText(`/etc/${kind}`);
    if (text.split('\n').some((line) => line.startsWith(`${defaultUser}:`))) continue;
    const first = firstFree(text);
    execFileSync('usermod', [option, `${first}-${first + rangeSize - 1}`, defaultUser]);
  }
}

/** The id behind every range given so far. */
export function firstFree(text: string): number {
  const ends = [...text.matchAll(/^[^:\n]+:(\d{1,10}):(\d{1,10})\s*$/gm)].map(
    ([, start, count]) => Number(start) + Number(count),
  );
  return Math.max(firstId, ...ends);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}
