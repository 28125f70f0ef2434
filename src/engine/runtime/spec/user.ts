import { DabbaError } from '#base';
import type { OciUser } from './oci.ts';

/** The texts of an image's /etc/passwd and /etc/group; empty where there is none. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

/** A user of the container, with the home directory that becomes $HOME. */
export interface ResolvedUser extends OciUser {
  readonly home: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Resolves `user[:group]`, names or numbers, as Docker does: the empty string is root; a name must exist; a number need not; a user's
 * supplementary groups are those that list it, unless a group is given, and always `furtherGroups`. Throws `InvalidArgument` in Docker's words.
 */
export function resolveUser(user: string, accounts: Accounts, furtherGroups: readonly string[] = []): ResolvedUser {
  const [userPart = '', groupPart] = user.split(':', 2);
  const users = parsePasswd(accounts.passwd);
  const groups = parseGroup(accounts.group);
  const uid = numberOf(userPart === '' ? '0' : userPart);
  const entry = users.find((each) => each.name === userPart) ?? users.find((each) => each.uid === uid);
  if (!entry && uid === undefined)
    throw new DabbaError('InvalidArgument', `unable to find user ${userPart}: no matching entries in passwd file`);
  const gid = groupPart ? groupId(groupPart, groups) : (entry?.gid ?? 0);
  const supplementary = groupPart ? [] : groups.filter((group) => entry && group.members.includes(entry.name));
  const further = furtherGroups.map((name) => groupId(name, groups));
  return {
    uid: entry?.uid ?? uid!,
    gid,
    // The primary one among them: left out, a process could put it off, and with it what the group is denied (CVE-2022-36109).
    additionalGids: [...new Set([gid, ...supplementary.map((group) => group.gid), ...further])],
    home: entry?.home || '/',
  };
}

function groupId(name: string, groups: readonly GroupEntry[]): number {
  const gid = groups.find((group) => group.name === name)?.gid ?? numberOf(name);
  if (gid === undefined)
    throw new DabbaError('InvalidArgument', `unable to find group ${name}: no matching entries in group file`);
  return gid;
}

/** Ids are at most 2^31-1, as runc demands. */
function numberOf(text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  if (value !== undefined && value > 0x7fffffff)
    throw new DabbaError('InvalidArgument', `uids and gids must be in range 0-2147483647, not ${text}`);
  return value;
}

/** passwd(5); lines that do not fit are skipped. */
function parsePasswd(text: string): readonly PasswdEntry[] {
  return records(text, 7).flatMap(([name = '', , uid = '', gid = '', , home = '']) =>
    isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [],
  );
}

/** group(5); lines that do not fit are skipped. */
function parseGroup(text: string): readonly GroupEntry[] {
  return records(text, 3).flatMap(([name = '', , gid = '', members = '']) =>
    isId(gid) ? [{ name, gid: Number(gid), members: members.split(',') }] : [],
  );
}

function records(text: string, fewest: number): readonly string[][] {
  return text
    .split('\n')
    .map((line) => line.trim().split(':'))
    .filter((fields) => fields.length >= fewest && fields[0] !== '' && !fields[0]!.startsWith('#'));
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}
