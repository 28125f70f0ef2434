import type { Action } from '@aws-sdk/client-elastic-load-balancing-v2';
import { AwsError } from '../errors.ts';
import { page } from '../page.ts';
import type { Handlers } from '../service.ts';
import { readTags } from '../tags.ts';
import { balancerArn } from './arns.ts';
import { listenerDefaults, wireAttributes, withAttributes } from './attributes.ts';
import { changeBalancer } from './change.ts';
import { checkPageSize, checkPort } from './checks.ts';
import { mustFindBalancer, mustFindGroup, mustFindListener, notBuilt, validationError } from './find.ts';
import {
  keyOf,
  newHash,
  type BalancerRecord,
  type Elbv2State,
  type GroupRecord,
  type ListenerRecord,
  type Protocol,
  type Scope,
} from './records.ts';
import { listenerView } from './view.ts';

/** Most listeners of one load balancer: "Quotas for your Network Load Balancers". */
const MAX_LISTENERS = 50;

/** Adds a listener, checked against those there are. Called anew for each attempt of a change. */
export function withListener(scope: Scope, record: BalancerRecord, listener: ListenerRecord): BalancerRecord {
  const others = record.listeners.filter(({ hash }) => hash !== listener.hash);
  if (others.some((other) => other.port === listener.port))
    throw new AwsError(
      'DuplicateListenerException',
      `A listener already exists on this port for this load balancer '${balancerArn(scope, record)}'`,
    );
  if (others.length >= MAX_LISTENERS)
    throw new AwsError('TooManyListenersException', `The maximum number of listeners has been reached`);
  return { ...record, listeners: [...others, listener] };
}

export function listenerHandlers(state: Elbv2State) {
  const { random, groups } = state;

  async function view(scope: Scope, balancer: BalancerRecord, listener: ListenerRecord) {
    const group = await groups.get(keyOf(scope, listener.targetGroup));
    return listenerView(scope, balancer, listener, group?.value);
  }

  async function change(scope: Scope, arn: string | undefined, changed: (listener: ListenerRecord) => ListenerRecord) {
    const { listener } = await mustFindListener(state, scope, arn);
    const find = async () => (await mustFindListener(state, scope, arn)).balancer;
    const record = await changeBalancer(state, scope, find, (balancer) =>
      withListener(scope, balancer, changed(balancer.listeners.find(({ hash }) => hash === listener.hash)!)),
    );
    return { balancer: record, listener: record.listeners.find(({ hash }) => hash === listener.hash)! };
  }

  return {
    async CreateListener(input, context) {
      const { value: balancer } = await mustFindBalancer(state, context, input.LoadBalancerArn);
      const port = checkPort(input.Port, 'listener');
      const protocol = checkProtocol(input.Protocol);
      const group = await forwardedGroup(state, context, input.DefaultActions);
      checkMatch(protocol, group, balancer);
      const hash = newHash(random);
      const attributes = listenerDefaults(protocol);
      const tags = readTags(input.Tags, 'ValidationError');
      const find = () => mustFindBalancer(state, context, input.LoadBalancerArn);
      const listener = { hash, port, protocol, targetGroup: group.name, attributes, tags };
      const record = await changeBalancer(state, context, find, (seen) => withListener(context, seen, listener));
      return { Listeners: [await view(context, record, listener)] };
    },

    async DescribeListeners(input, context) {
      const { ListenerArns: arns = [], LoadBalancerArn } = input;
      if (arns.length === 0 && !LoadBalancerArn)
        throw validationError('You must specify either listener ARNs or a load balancer ARN');
      const named = await Promise.all(arns.map((arn) => mustFindListener(state, context, arn)));
      const found = LoadBalancerArn
        ? (({ value }) => value.listeners.map((listener) => ({ balancer: value, listener })))(
            await mustFindBalancer(state, context, LoadBalancerArn),
          )
        : named.map(({ balancer, listener }) => ({ balancer: balancer.value, listener }));
      const { items, nextToken } = page(found.toSorted(byHash), {
        token: input.Marker,
        limit: checkPageSize(input.PageSize),
        key: ({ listener }) => listener.hash,
        badTokenCode: 'ValidationError',
      });
      const views = await Promise.all(items.map(({ balancer, listener }) => view(context, balancer, listener)));
      return { Listeners: views, NextMarker: nextToken };
    },

    async ModifyListener(input, context) {
      const { balancer, listener } = await mustFindListener(state, context, input.ListenerArn);
      const port = input.Port === undefined ? listener.port : checkPort(input.Port, 'listener');
      const protocol = input.Protocol === undefined ? listener.protocol : checkProtocol(input.Protocol);
      const group = input.DefaultActions?.length
        ? await forwardedGroup(state, context, input.DefaultActions)
        : (await groups.get(keyOf(context, listener.targetGroup)))?.value;
      if (group) checkMatch(protocol, group, balancer.value);
      const next = await change(context, input.ListenerArn, (seen) => ({
        ...seen,
        port,
        protocol,
        ...(group ? { targetGroup: group.name } : {}),
      }));
      return { Listeners: [await view(context, next.balancer, next.listener)] };
    },

    async DeleteListener(input, context) {
      const { listener } = await mustFindListener(state, context, input.ListenerArn);
      const find = async () => (await mustFindListener(state, context, input.ListenerArn)).balancer;
      await changeBalancer(state, context, find, (record) => ({
        ...record,
        listeners: record.listeners.filter(({ hash }) => hash !== listener.hash),
      }));
      return {};
    },

    async DescribeListenerAttributes(input, context) {
      const { listener } = await mustFindListener(state, context, input.ListenerArn);
      return { Attributes: wireAttributes(listener.attributes) };
    },

    async ModifyListenerAttributes(input, context) {
      const { listener } = await change(context, input.ListenerArn, (seen) => ({
        ...seen,
        attributes: withAttributes(seen.attributes, input.Attributes, 'listener'),
      }));
      return { Attributes: wireAttributes(listener.attributes) };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-elastic-load-balancing-v2')>;

  function byHash(one: { readonly listener: ListenerRecord }, other: { readonly listener: ListenerRecord }): number {
    return one.listener.hash < other.listener.hash ? -1 : 1;
  }
}

/** What a network load balancer speaks; TLS it would have to end itself. */
export function checkProtocol(protocol: string | undefined): Protocol {
  if (!protocol) throw validationError('A listener protocol must be specified');
  if (protocol === 'TCP' || protocol === 'UDP' || protocol === 'TCP_UDP') return protocol;
  if (protocol === 'TLS' || protocol === 'QUIC' || protocol === 'TCP_QUIC') throw notBuilt(`${protocol} listeners`);
  throw validationError(`Protocol '${protocol}' is not supported for load balancers with type 'network'`);
}

/** The one target group that default actions forward to. */
async function forwardedGroup(
  state: Elbv2State,
  scope: Scope,
  actions: readonly Action[] | undefined,
): Promise<GroupRecord> {
  const [action, ...more] = actions ?? [];
  if (!action || more.length > 0) throw validationError('A listener must have exactly one default action');
  if (action.Type !== 'forward')
    throw new AwsError(
      'InvalidLoadBalancerActionException',
      `Action type '${action.Type}' is not valid for load balancers with type 'network'`,
    );
  const weighted = action.ForwardConfig?.TargetGroups ?? [];
  if (weighted.length > 1) throw notBuilt('Weighted target groups');
  const arn = action.TargetGroupArn ?? weighted[0]?.TargetGroupArn;
  if (!arn) throw validationError('A target group ARN must be specified');
  return (await mustFindGroup(state, scope, arn)).value;
}

function checkMatch(protocol: Protocol, group: GroupRecord, balancer: BalancerRecord): void {
  if (group.protocol !== protocol)
    throw new AwsError(
      'IncompatibleProtocolsException',
      `The target group protocol '${group.protocol}' is not compatible with the listener protocol '${protocol}'`,
    );
  if (group.vpcId !== balancer.vpcId)
    throw new AwsError(
      'InvalidConfigurationRequestException',
      'The target group and the load balancer are in different VPCs',
    );
}
