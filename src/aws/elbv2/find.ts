import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import { readArn } from './arns.ts';
import {
  keyOf,
  type BalancerRecord,
  type Elbv2State,
  type GroupRecord,
  type ListenerRecord,
  type Scope,
} from './records.ts';

/** The load balancer of an ARN. Throws `LoadBalancerNotFoundException`. */
export async function mustFindBalancer(
  state: Elbv2State,
  scope: Scope,
  arn: string | undefined,
): Promise<Versioned<BalancerRecord>> {
  const named = readArn(scope, arn);
  if (!named || named.kind !== 'loadbalancer') checkArn(arn, 'load balancer');
  const found = named && (await state.balancers.get(keyOf(scope, named.name)));
  if (named?.kind === 'loadbalancer' && found?.value.hash === named.hash) return found;
  throw new AwsError('LoadBalancerNotFoundException', `Load balancer '${arn}' not found`);
}

/** The target group of an ARN. Throws `TargetGroupNotFoundException`. */
export async function mustFindGroup(
  state: Elbv2State,
  scope: Scope,
  arn: string | undefined,
): Promise<Versioned<GroupRecord>> {
  const named = readArn(scope, arn);
  if (!named || named.kind !== 'targetgroup') checkArn(arn, 'target group');
  const found = named && (await state.groups.get(keyOf(scope, named.name)));
  if (named?.kind === 'targetgroup' && found?.value.hash === named.hash) return found;
  throw new AwsError('TargetGroupNotFoundException', `Target groups '${arn}' not found`);
}

/** The listener of an ARN with its load balancer. Throws `ListenerNotFoundException`. */
export async function mustFindListener(
  state: Elbv2State,
  scope: Scope,
  arn: string | undefined,
): Promise<{ readonly balancer: Versioned<BalancerRecord>; readonly listener: ListenerRecord }> {
  const named = readArn(scope, arn);
  if (!named || named.kind !== 'listener') checkArn(arn, 'listener');
  const balancer = named && (await state.balancers.get(keyOf(scope, named.name)));
  const listener =
    named?.kind === 'listener' && balancer?.value.hash === named.hash
      ? balancer.value.listeners.find(({ hash }) => hash === named.listenerHash)
      : undefined;
  if (balancer && listener) return { balancer, listener };
  throw new AwsError('ListenerNotFoundException', 'One or more listeners not found');
}

function checkArn(arn: string | undefined, what: string): void {
  if (!arn?.startsWith('arn:') || !arn.includes(':elasticloadbalancing:'))
    throw new AwsError('ValidationError', `'${arn ?? ''}' is not a valid ${what} ARN`, { status: 400 });
}

export function validationError(message: string): AwsError {
  return new AwsError('ValidationError', message, { status: 400 });
}

/** The refusal of what AWS has and this does not. */
export function notBuilt(what: string): AwsError {
  return new AwsError('UnsupportedOperation', `${what} are not supported`, { status: 501 });
}
