/** An instant to the second, `2026-01-31T12:00:00Z`, as AWS documents and Kubernetes objects write it; what is finer is cut off. `atMs` is since the epoch. */
export function isoSeconds(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
