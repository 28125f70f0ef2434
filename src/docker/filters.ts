/** `name` or `name=value` among labels. */
export function hasPair(labels: { readonly [name: string]: string }, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  const value = labels[equals < 0 ? wanted : wanted.slice(0, equals)];
  return value !== undefined && (equals < 0 || value === wanted.slice(equals + 1));
}
