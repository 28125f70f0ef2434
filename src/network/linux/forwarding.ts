import { TABLE_PREFIX } from '../rules/machine.ts';
import { renderRemoval } from '../rules/ruleset.ts';
import type { RunNft } from './nft.ts';

/**
 * Forwarding is one switch for a whole machine that several daemons may need. Who turned it on also turns it off, unless another daemon is
 * still there: then the duty passes on to that one. It is left in the kernel as an empty table, since no daemon knows the files of another.
 */
const dutyTable = (instance: string) => `${TABLE_PREFIX}${instance}_restores_forwarding`;

/** True if a daemon that left passed the duty to us. The caller records it; then `forgetForwardingDuty` may remove the sign. */
export async function inheritsForwardingDuty(instance: string, runNft: RunNft): Promise<boolean> {
  return (await listTables(runNft)).includes(dutyTable(instance));
}

export async function forgetForwardingDuty(instance: string, runNft: RunNft): Promise<void> {
  await runNft(renderRemoval(dutyTable(instance)));
}

/** Passes the duty to another daemon on this machine; false when there is none. */
export async function passOnForwardingDuty(runNft: RunNft): Promise<boolean> {
  const instances = (await listTables(runNft))
    .filter((table) => table.startsWith(TABLE_PREFIX))
    .map((table) => table.slice(TABLE_PREFIX.length));
  const heir = instances.find((name) => /^[a-z0-9]+$/.test(name));
  if (!heir) return false;
  await runNft(`add table ip ${dutyTable(heir)}\n`);
  return true;
}

async function listTables(runNft: RunNft): Promise<string[]> {
  return [...(await runNft('list tables\n')).matchAll(/^table ip (\S+)(?: # handle \d+)?$/gm)].map(
    (match) => match[1]!,
  );
}
