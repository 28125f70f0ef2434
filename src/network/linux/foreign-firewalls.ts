/**
 * Firewalls of others on this machine that drop what is forwarded, as Docker, ufw and firewalld leave them. What our own table accepts is dropped all the same where another's base
 * chain does not; so each of those gets rules at its head that let pass what comes and goes by our uplinks, on which our own table has decided. They carry our table's name as their
 * comment: by it they are known again, and removed. Behaviour: nft(8), "hooks": a packet must be accepted by every base chain.
 */
import { TABLE_PREFIX, uplinkPrefix } from '../rules/machine.ts';
import type { RunNft } from './nft.ts';

interface ForeignChain {
  /** `ip filter FORWARD`: family, table, chain. */
  readonly name: string;
  readonly isDropping: boolean;
  /** Handles of our rules in it. */
  readonly ours: readonly string[];
}

/** Lets our uplinks' packets pass in every foreign chain that would drop them. May be repeated: a firewall that was loaded anew has lost our rules. */
export async function passForeignFirewalls(instance: string, runNft: RunNft): Promise<void> {
  const comment = commentOf(instance);
  const closed = (await foreignChains(comment, runNft)).filter(({ isDropping, ours }) => isDropping && !ours.length);
  const rules = closed.flatMap(({ name }) =>
    ['iifname', 'oifname'].map(
      (side) => `insert rule ${name} ${side} "${uplinkPrefix(instance)}*" accept comment "${comment}"\n`,
    ),
  );
  if (rules.length) await runNft(rules.join(''));
}

/** Takes our rules out of them. */
export async function leaveForeignFirewalls(instance: string, runNft: RunNft): Promise<void> {
  const rules = (await foreignChains(commentOf(instance), runNft)).flatMap(({ name, ours }) =>
    ours.map((handle) => `delete rule ${name} handle ${handle}\n`),
  );
  if (rules.length) await runNft(rules.join(''));
}

const commentOf = (instance: string) => TABLE_PREFIX + instance;

/** Base chains of others through which IPv4 is forwarded. */
async function foreignChains(comment: string, runNft: RunNft): Promise<readonly ForeignChain[]> {
  const names = forwardChains(await runNft('list chains\n'));
  const chains: ForeignChain[] = [];
  for (const { name, policy } of names) {
    // Its owner may have removed it meanwhile.
    const listing = await runNft(`list chain ${name}\n`).catch(() => '');
    const rules = listing.split('\n').filter((line) => /^\t\t.* # handle \d+$/.test(line));
    const ours = rules.flatMap((rule) =>
      rule.includes(`comment "${comment}"`) ? [/ # handle (\d+)$/.exec(rule)![1]!] : [],
    );
    const endsClosed = /^\t\t(counter packets \d+ bytes \d+ )?(drop|reject)\b/.test(rules.at(-1) ?? '');
    chains.push({ name, isDropping: policy === 'drop' || endsClosed, ours });
  }
  return chains;
}

function forwardChains(listing: string): readonly { readonly name: string; readonly policy: string }[] {
  const found: { name: string; policy: string }[] = [];
  let table = '';
  let chain = '';
  for (const line of listing.split('\n')) {
    table = /^table (ip|inet) (\S+) \{/.exec(line)?.slice(1).join(' ') ?? (line.startsWith('table') ? '' : table);
    chain = /^\tchain (\S+) \{/.exec(line)?.[1] ?? chain;
    const policy = /^\t\ttype filter hook forward .*policy (\w+);/.exec(line)?.[1];
    if (policy && table && !table.split(' ')[1]!.startsWith(TABLE_PREFIX))
      found.push({ name: `${table} ${chain}`, policy });
  }
  return found;
}
