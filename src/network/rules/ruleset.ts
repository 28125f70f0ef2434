/**
 * An nftables table (family `ip`) as a value, so that what the kernel has can be compared with what it should have and the difference be
 * sent alone: a changed group is a few elements or one chain, not the whole table.
 */
export interface Ruleset {
  readonly table: string;
  readonly sets: ReadonlyMap<string, ElementSet>;
  readonly chains: ReadonlyMap<string, Chain>;
}

/** A set or a map. `elements` holds key → data in nft's syntax; the data of a set's element is empty. */
export interface ElementSet {
  readonly kind: 'set' | 'map';
  /** `type ipv4_addr; flags interval;` */
  readonly declaration: string;
  readonly elements: ReadonlyMap<string, string>;
}

export interface Chain {
  /** `type filter hook forward priority filter; policy drop;`, or empty for a chain that is only jumped to. */
  readonly base: string;
  readonly rules: readonly string[];
}

/** Replaces whatever the kernel has under the table's name, in one transaction. Tracked connections stay. */
export function renderTable(ruleset: Ruleset): string {
  const table = `ip ${ruleset.table}`;
  const empty: Ruleset = { table: ruleset.table, sets: new Map(), chains: new Map() };
  return [`add table ${table}`, `delete table ${table}`, `add table ${table}`, difference(empty, ruleset)].join('\n');
}

/** The commands that lead from one ruleset to another, to be run as one transaction; empty when there is nothing to do. */
export function renderChange(from: Ruleset, to: Ruleset): string {
  if (from === to) return '';
  return isSameShape(from, to) ? difference(from, to) : renderTable(to);
}

/** Names of the sets that packets fill, not we. */
export function dynamicSets({ sets }: Ruleset): readonly string[] {
  return Array.from(sets, ([name, { declaration }]) => (/\bdynamic\b/.test(declaration) ? name : '')).filter(Boolean);
}

/** The elements in nft's listing of one set, in words that nft takes again: what is left of their time is among them. */
export function listedElements(listing: string): readonly string[] {
  const [, elements] = /elements = \{([^}]*)\}/.exec(listing) ?? [];
  return elements?.split(',').map((element) => element.trim()) ?? [];
}

/** Adds elements to a set that is there. */
export function renderElements(table: string, set: string, elements: readonly string[]): string {
  const command = elementsCommand('add', `ip ${table}`, set, elements);
  return command && `${command}\n`;
}

/** Removes a table that may be absent. */
export function renderRemoval(table: string): string {
  return `add table ip ${table}\ndelete table ip ${table}\n`;
}

/** Declarations cannot be changed in place: a set or chain declared anew needs its table replaced. */
function isSameShape(from: Ruleset, to: Ruleset): boolean {
  const sets = [...to.sets].every(([name, set]) => {
    const before = from.sets.get(name);
    return !before || (before.kind === set.kind && before.declaration === set.declaration);
  });
  const chains = [...to.chains].every(([name, chain]) => (from.chains.get(name)?.base ?? chain.base) === chain.base);
  return sets && chains && from.table === to.table;
}

/**
 * Within the transaction a thing must exist before it is referred to, and be referred to by nothing when it goes: so new sets and chains
 * first, then elements that go, then rules, then elements that come, and last the chains and sets that are no longer needed.
 */
function difference(from: Ruleset, to: Ruleset): string {
  const table = `ip ${to.table}`;
  const gone = <T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>) =>
    [...before.keys()].filter((name) => !after.has(name));
  const goneChains = gone(from.chains, to.chains);
  const commands = [
    ...gone(to.sets, from.sets).map((name) => {
      const set = to.sets.get(name)!;
      return `add ${set.kind} ${table} ${name} { ${set.declaration} }`;
    }),
    ...gone(to.chains, from.chains).map((name) => {
      const { base } = to.chains.get(name)!;
      return base ? `add chain ${table} ${name} { ${base} }` : `add chain ${table} ${name}`;
    }),
    ...[...to.sets].map(([name, set]) =>
      elementsCommand('delete', table, name, staleElements(from.sets.get(name), set)),
    ),
    ...[...to.chains].flatMap(([name, chain]) => chainCommands(table, name, from.chains.get(name), chain)),
    ...goneChains.map((name) => `flush chain ${table} ${name}`),
    ...[...to.sets].map(([name, set]) => elementsCommand('add', table, name, freshElements(from.sets.get(name), set))),
    ...gone(from.sets, to.sets).map((name) => `flush ${from.sets.get(name)!.kind} ${table} ${name}`),
    ...goneChains.map((name) => `delete chain ${table} ${name}`),
    ...gone(from.sets, to.sets).map((name) => `delete ${from.sets.get(name)!.kind} ${table} ${name}`),
  ].filter(Boolean);
  return commands.length === 0 ? '' : `${commands.join('\n')}\n`;
}

function chainCommands(table: string, name: string, before: Chain | undefined, after: Chain): string[] {
  const old = before?.rules ?? [];
  if (old.length === after.rules.length && old.every((rule, index) => rule === after.rules[index])) return [];
  return [
    ...(old.length > 0 ? [`flush chain ${table} ${name}`] : []),
    ...after.rules.map((rule) => `add rule ${table} ${name} ${rule}`),
  ];
}

function staleElements(before: ElementSet | undefined, after: ElementSet): string[] {
  if (before === after) return [];
  return [...(before?.elements ?? [])].filter(([key, data]) => after.elements.get(key) !== data).map(([key]) => key);
}

function freshElements(before: ElementSet | undefined, after: ElementSet): string[] {
  if (before === after) return [];
  return [...after.elements]
    .filter(([key, data]) => before?.elements.get(key) !== data)
    .map(([key, data]) => (data ? `${key} : ${data}` : key));
}

function elementsCommand(verb: 'add' | 'delete', table: string, name: string, elements: readonly string[]): string {
  return elements.length === 0 ? '' : `${verb} element ${table} ${name} { ${elements.join(', ')} }`;
}

/** A set of plain keys. */
export function setOf(declaration: string, keys: Iterable<string>): ElementSet {
  return { kind: 'set', declaration, elements: new Map(Array.from(keys, (key) => [key, ''])) };
}

export function mapOf(declaration: string, entries: Iterable<readonly [key: string, data: string]>): ElementSet {
  return { kind: 'map', declaration, elements: new Map(entries) };
}
