/** Go's `path.Match`, as Docker's filters use it: `*` and `?` stay within one part between slashes. */
export function matchesPattern(pattern: string, text: string): boolean {
  const source = pattern
    .split('')
    .map((character) => (character === '*' ? '[^/]*' : character === '?' ? '[^/]' : RegExp.escape(character)));
  return new RegExp(`^${source.join('')}$`).test(text);
}
