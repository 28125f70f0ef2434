/**
 * What a host may do with the store: read its nodes' work and the network's desired state; write its nodes' records, statuses, the
 * health of load balancers' targets, that ended clusters left nothing, and nothing else. There is one machine today, so a host may speak for every node.
 */
const readable = ['network/', 'node/'] as const;
const writable = [
  'node/nodes/',
  'node/statuses/',
  'node/instance-statuses/',
  'node/ended-clusters/',
  'network/target-health/',
] as const;

export function mayAccess(access: { readonly kind: 'read' | 'write'; readonly key: string }): boolean {
  return (access.kind === 'read' ? readable : writable).some((prefix) => access.key.startsWith(prefix));
}
