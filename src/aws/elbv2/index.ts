import type { Clock, Random } from '#base';
import type { Store } from '#store';
import type { Instances, VpcNetwork } from '../ec2/index.ts';
import { defineService, type CallContext, type RequiredPermission, type ServiceDefinition } from '../service.ts';
import { limitHandlers } from './limits.ts';
import { listenerHandlers } from './listeners.ts';
import { loadBalancerHandlers } from './load-balancers.ts';
import { elbv2Collections, type Elbv2State } from './records.ts';
import { serviceBalancers, type ServiceBalancers } from './service-balancers.ts';
import { taggingHandlers } from './tagging.ts';
import { targetGroupHandlers } from './target-groups.ts';
import { targetHandlers } from './targets.ts';

export type { ServiceBalancer, ServiceBalancerPort, ServiceBalancers } from './service-balancers.ts';

export interface Elbv2Options {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: VpcNetwork;
  readonly instances: Pick<Instances, 'find'>;
}

/** Elastic Load Balancing, version 2: network load balancers. */
export function createElbv2({ instances, ...options }: Elbv2Options): {
  readonly definition: ServiceDefinition;
  readonly balancers: ServiceBalancers;
} {
  const state: Elbv2State = {
    ...options,
    ...elbv2Collections(options.store),
    findInstance: async (scope, id) => (await instances.find(scope, id))?.value,
  };
  const definition = defineService<typeof import('@aws-sdk/client-elastic-load-balancing-v2')>({
    name: 'elasticloadbalancing',
    signingNames: ['elasticloadbalancing'],
    eventSource: 'elasticloadbalancing.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-elastic-load-balancing-v2'),
    validationCode: 'ValidationError',
    handlers: {
      ...loadBalancerHandlers(state),
      ...listenerHandlers(state),
      ...targetGroupHandlers(state),
      ...targetHandlers(state),
      ...taggingHandlers(state),
      ...limitHandlers(state),
    },
    permissions,
  });
  return { definition, balancers: serviceBalancers(state) };
}

/** The ARNs that a call names; describing has no resource (Service Authorization Reference, "AWS Elastic Load Balancing V2"). */
function permissions(operation: string, input: unknown, context: CallContext): readonly RequiredPermission[] {
  const action = `elasticloadbalancing:${operation}`;
  const named = input as {
    readonly Name?: string;
    readonly ResourceArns?: readonly string[];
    readonly [member: string]: unknown;
  };
  if (operation.startsWith('Describe')) return [{ action, resources: ['*'] }];
  const prefix = `arn:aws:elasticloadbalancing:${context.region}:${context.account}:`;
  if (operation === 'CreateLoadBalancer')
    return [{ action, resources: [`${prefix}loadbalancer/net/${named.Name ?? ''}/*`] }];
  if (operation === 'CreateTargetGroup') return [{ action, resources: [`${prefix}targetgroup/${named.Name ?? ''}/*`] }];
  const arn = named['ListenerArn'] ?? named['TargetGroupArn'] ?? named['LoadBalancerArn'];
  const resources = named.ResourceArns?.length ? named.ResourceArns : typeof arn === 'string' ? [arn] : ['*'];
  return [{ action, resources }];
}
