/**
 * Shell patterns of parameter expansion: `*`, `?`, and `\` before a character that stands for itself. Matching is a simulation of all states at
 * once, so that no pattern of a hostile Dockerfile takes more than (pattern × text) steps.
 */
export type Pattern = readonly ('any' | 'one' | { readonly character: string })[];

export function parsePattern(text: string): Pattern {
  const tokens: ('any' | 'one' | { readonly character: string })[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '*') tokens.push('any');
    else if (character === '?') tokens.push('one');
    else tokens.push({ character: character === '\\' && at + 1 < text.length ? text[++at]! : character });
  }
  return tokens;
}

/** Length of the shortest or longest match that begins at `start`, or undefined if none does. */
export function matchLength(
  pattern: Pattern,
  text: string,
  start: number,
  wanted: 'shortest' | 'longest',
): number | undefined {
  let states = closure(pattern, new Set([0]));
  let found: number | undefined;
  for (let at = start; ; at++) {
    if (states.has(pattern.length)) {
      found = at - start;
      if (wanted === 'shortest') return found;
    }
    if (at >= text.length || states.size === 0) return found;
    const next = new Set<number>();
    for (const state of states) {
      const token = pattern[state];
      if (token === 'any') next.add(state);
      else if (token === 'one' || token?.character === text[at]) next.add(state + 1);
    }
    states = closure(pattern, next);
  }
}

/** `any` may match nothing, so a state before it is also a state behind it. */
function closure(pattern: Pattern, states: Set<number>): Set<number> {
  for (const state of states) if (pattern[state] === 'any') states.add(state + 1);
  return states;
}

/** `value` without its prefix that matches. */
export function trimPrefix(value: string, pattern: string, wanted: 'shortest' | 'longest'): string {
  return value.slice(matchLength(parsePattern(pattern), value, 0, wanted) ?? 0);
}

/** `value` without its suffix that matches. */
export function trimSuffix(value: string, pattern: string, wanted: 'shortest' | 'longest'): string {
  const backwards = value.split('').reverse().join('');
  const length = matchLength([...parsePattern(pattern)].reverse(), backwards, 0, wanted) ?? 0;
  return value.slice(0, value.length - length);
}

/** `value` with the first, or every, longest match replaced. An empty pattern replaces nothing. */
export function replaceMatches(value: string, pattern: string, replacement: string, which: 'first' | 'all'): string {
  const tokens = parsePattern(pattern);
  let out = '';
  for (let at = 0; at < value.length;) {
    const length = matchLength(tokens, value, at, 'longest') ?? 0;
    if (length === 0) {
      out += value[at++]!;
      continue;
    }
    out += replacement;
    at += length;
    if (which === 'first') return out + value.slice(at);
  }
  return out;
}
