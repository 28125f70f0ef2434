import { DabbaError } from '#base';

/** Tells which paths of a build context its `.dockerignore` leaves out. */
export interface IgnoreRules {
  /** `path` is relative, with `/`, without a leading one. */
  isIgnored(path: string): boolean;
}

interface Rule {
  readonly expression: RegExp;
  readonly isException: boolean;
}

/**
 * Reads a `.dockerignore` (Dockerfile reference, ".dockerignore file"): one pattern a line, `#` comments, `!` for exceptions, `**` for any
 * number of directories; the last pattern that matches a path, or a directory above it, decides.
 */
export function parseIgnoreRules(text: string): IgnoreRules {
  const rules = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((line) => (line.startsWith('#') ? [] : readRule(line.trim())));
  return { isIgnored: (path) => rules.reduce((isIgnored, rule) => decide(rule, path, isIgnored), false) };
}

function decide(rule: Rule, path: string, isIgnored: boolean): boolean {
  // Only a rule that would change the answer has to be tried.
  if (rule.isException !== isIgnored) return isIgnored;
  const parts = path.split('/');
  const isMatch = parts.some((_, index) => rule.expression.test(parts.slice(0, index + 1).join('/')));
  return isMatch ? !rule.isException : isIgnored;
}

function readRule(line: string): Rule[] {
  const isException = line.startsWith('!');
  const pattern = cleanPath(isException ? line.slice(1).trim() : line);
  if (pattern === '' || pattern === '.') return [];
  return [{ expression: globExpression(pattern), isException }];
}

/** Go's `filepath.Clean` of a pattern, leading slashes dropped. */
function cleanPath(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0) parts.pop();
    else if (part !== '..') parts.push(part);
  }
  return parts.join('/');
}

/**
 * A path pattern as a regular expression over a whole path: `*` and `?` within one name, `[…]` classes, `\` escapes, and `**` for any number of
 * names. Throws `InvalidArgument` for a class that does not end.
 */
export function globExpression(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === '*' && pattern[at + 1] === '*') {
      while (pattern[at + 1] === '*') at++;
      if (pattern[at + 1] === '/') {
        at++;
        source += '(?:.*/)?';
      } else source += '.*';
    } else if (character === '*') {
      while (pattern[at + 1] === '*') at++;
      source += '[^/]*';
    } else if (character === '?') source += '[^/]';
    else if (character === '\\' && at + 1 < pattern.length) source += RegExp.escape(pattern[++at]!);
    else if (character === '[') {
      const end = classEnd(pattern, at);
      source += classSource(pattern.slice(at + 1, end));
      at = end;
    } else source += RegExp.escape(character);
  }
  return new RegExp(`^${source}$`, 's');
}

function classEnd(pattern: string, start: number): number {
  for (let at = start + (pattern[start + 1] === '^' ? 3 : 2); at < pattern.length; at++)
    if (pattern[at] === ']' && pattern[at - 1] !== '\\') return at;
  throw new DabbaError('InvalidArgument', `syntax error in pattern "${pattern}"`);
}

function classSource(content: string): string {
  const isNegated = content.startsWith('^');
  const body = isNegated ? content.slice(1) : content;
  const escaped = body.replaceAll(/\\(.)|([\\[\]^&~|])/gs, (_, quoted: string | undefined, plain: string | undefined) =>
    (quoted ?? plain!).replace(/^[\\[\]^\-&~|]$/, (special) => `\\${special}`),
  );
  return isNegated ? `[^/${escaped}]` : `[${escaped}]`;
}
