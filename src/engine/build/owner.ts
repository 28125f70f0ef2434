import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveBeneath, statOf } from './beneath.ts';
import type { Owner } from './copy-tree.ts';
import { stepFault, type Location } from './fault.ts';

/** Larger ones are no /etc/passwd. */
const limitBytes = 4 << 20;

/** `--chown`: `user`, `user:group`, by name or number; names are those of the image whose files lie at `view`. */
export function ownerOf(view: string, text: string, at: Location): Owner {
  const [user = '', group] = text.split(':');
  const entry = isNumber(user) ? undefined : findEntry(view, '/etc/passwd', user, at);
  const uid = entry ? Number(entry[2]) : Number(user);
  if (group === undefined || group === '') return { uid, gid: entry ? Number(entry[3]) : uid };
  return { uid, gid: isNumber(group) ? Number(group) : Number(findEntry(view, '/etc/group', group, at)[2]) };
}

function findEntry(view: string, database: string, name: string, at: Location): readonly string[] {
  const path = join(view, resolveBeneath(view, database));
  const stat = statOf(path);
  const text = stat?.isFile() && stat.size <= limitBytes ? readFileSync(path, 'utf8') : '';
  const entry = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name);
  if (!entry || !isNumber(entry[2] ?? ''))
    throw stepFault('InvalidArgument', at, `unable to find "${name}" in ${database} of the image`);
  return entry;
}

const isNumber = (text: string) => /^\d{1,10}$/.test(text);
