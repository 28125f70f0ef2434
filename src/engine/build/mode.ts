/** What `--chmod` asks for: bits as they are, or changes to those of each file (chmod(1)). Plain data: it goes to worker threads. */
export type ModeChange = number | readonly ModeClause[];

interface ModeClause {
  /** Mask of user, group and others that the clause is about. */
  readonly who: number;
  readonly operator: '+' | '-' | '=';
  /** Letters of `rwxXst`, or one of `ugo` to copy from. */
  readonly permissions: string;
}

const whoMasks: { readonly [who: string]: number } = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 };
/** What is said of nobody in particular is not given to those whom the usual umask excludes. */
const umask = 0o022;

/** Reads `0755` or `u=rwX,go-w`. Undefined for anything else. */
export function parseMode(text: string): ModeChange | undefined {
  if (/^[0-7]{1,5}$/.test(text)) return Number.parseInt(text, 8) & 0o7777;
  const clauses: ModeClause[] = [];
  for (const part of text.split(',')) {
    const match = /^([ugoa]*)((?:[+=-](?:[ugo]|[rwxXst]*))+)$/.exec(part);
    if (!match) return undefined;
    const who =
      match[1] === '' ? 0o7777 & ~umask : Array.from(match[1]!).reduce((mask, letter) => mask | whoMasks[letter]!, 0);
    for (const [, operator, permissions] of match[2]!.matchAll(/([+=-])([ugo]|[rwxXst]*)/g))
      clauses.push({ who, operator: operator as ModeClause['operator'], permissions: permissions! }); // the expression allows no others
  }
  return clauses;
}

/** The bits of a file that had `mode`. */
export function changeMode(change: ModeChange, mode: number, isDirectory: boolean): number {
  if (typeof change === 'number') return change;
  return change.reduce((bits, { who, operator, permissions }) => {
    const asked = who & bitsOf(permissions, bits, isDirectory);
    if (operator === '+') return bits | asked;
    if (operator === '-') return bits & ~asked;
    // As chmod(1): the set-ID bits of a directory go only when they are named.
    const cleared = isDirectory ? who & ~0o6000 : who;
    return (bits & ~cleared) | asked;
  }, mode);
}

function bitsOf(permissions: string, mode: number, isDirectory: boolean): number {
  if (permissions === 'u') return ((mode >> 6) & 7) * 0o111;
  if (permissions === 'g') return ((mode >> 3) & 7) * 0o111;
  if (permissions === 'o') return (mode & 7) * 0o111;
  const bits: { readonly [letter: string]: number } = {
    r: 0o444,
    w: 0o222,
    x: 0o111,
    X: isDirectory || (mode & 0o111) !== 0 ? 0o111 : 0,
    s: 0o6000,
    t: 0o1000,
  };
  return Array.from(permissions).reduce((sum, letter) => sum | bits[letter]!, 0);
}
