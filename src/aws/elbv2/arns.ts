import { formatArn } from '#base';
import type { BalancerRecord, GroupRecord, ListenerRecord, Scope } from './records.ts';

function arn({ account, region }: Scope, resource: string): string {
  return formatArn({ service: 'elasticloadbalancing', region, account, resource });
}

export function balancerArn(scope: Scope, { name, hash }: Pick<BalancerRecord, 'name' | 'hash'>): string {
  return arn(scope, `loadbalancer/net/${name}/${hash}`);
}

export function groupArn(scope: Scope, { name, hash }: Pick<GroupRecord, 'name' | 'hash'>): string {
  return arn(scope, `targetgroup/${name}/${hash}`);
}

export function listenerArn(
  scope: Scope,
  { name, hash }: Pick<BalancerRecord, 'name' | 'hash'>,
  listener: Pick<ListenerRecord, 'hash'>,
): string {
  return arn(scope, `listener/net/${name}/${hash}/${listener.hash}`);
}

export type NamedResource =
  | { readonly kind: 'loadbalancer' | 'targetgroup'; readonly name: string; readonly hash: string }
  | { readonly kind: 'listener'; readonly name: string; readonly hash: string; readonly listenerHash: string };

/** What an ARN of this account and region names; undefined for any other text. */
export function readArn({ account, region }: Scope, text: string | undefined): NamedResource | undefined {
  const prefix = arn({ account, region }, '');
  if (!text?.startsWith(prefix)) return undefined;
  const [kind, ...rest] = text.slice(prefix.length).split('/');
  const parts = kind === 'targetgroup' ? rest : rest[0] === 'net' ? rest.slice(1) : [];
  const [name, hash, listenerHash, ...more] = parts;
  if (!name || !hash || more.length > 0) return undefined;
  if (kind === 'listener') return listenerHash ? { kind, name, hash, listenerHash } : undefined;
  if ((kind !== 'loadbalancer' && kind !== 'targetgroup') || listenerHash !== undefined) return undefined;
  return { kind, name, hash };
}
