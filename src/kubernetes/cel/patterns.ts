/** Regular expressions in definitions and rules. Authors write them for Go's RE2: what RE2 does not know is refused, what it writes otherwise than JavaScript is rewritten. */
import { setFlagsFromString } from 'node:v8';

const compiled = new Map<string, RegExp>();
const mostCompiled = 1000;
let isGuarded = false;

/** Compiles a pattern, each once. Throws `SyntaxError` for what RE2 would not take either. */
export function patternOf(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known) return known;
  guardPatterns();
  const made = compile(pattern);
  if (compiled.size >= mostCompiled) compiled.clear();
  compiled.set(pattern, made);
  return made;
}

/** True if `patternOf` takes it. */
export function isPattern(pattern: string): boolean {
  try {
    patternOf(pattern);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/**
 * A pattern like `^(a+)+$` costs a backtracking engine exponential time, and the value that it costs it on is the client's. From here on V8 turns to its linear engine when an
 * expression goes back too often; it can, since what that engine lacks is what RE2 lacks.
 */
export function guardPatterns(): void {
  if (isGuarded) return;
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  isGuarded = true;
}

const lookaround = /\(\?<?[=!]/;
const backReference = /\\[1-9]|\\k</;

function compile(pattern: string): RegExp {
  const bare = pattern.replaceAll(/\\\\|\[(?:[^\]\\]|\\.)*\]/g, '');
  if (lookaround.test(bare) || backReference.test(bare))
    throw new SyntaxError(`invalid or unsupported Perl syntax: ${pattern}`);
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const source = flags ? pattern.slice(flags[0].length) : pattern;
  return new RegExp(source.replaceAll(/\\.|\(\?P<|\[:(\^?)(\w+):\]/g, rewritten), flags?.[1] ?? '');
}

const classes: { readonly [name: string]: string } = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** `\A`, `\z`, `(?P<name>` and `[:alpha:]` in JavaScript. */
function rewritten(part: string, negation: string | undefined, name: string | undefined): string {
  if (part === '\\A') return '^';
  if (part === '\\z') return '$';
  if (part === '(?P<') return '(?<';
  if (name === undefined) return part;
  const members = classes[name];
  if (negation || members === undefined) throw new SyntaxError(`invalid character class range: ${part}`);
  return members;
}
