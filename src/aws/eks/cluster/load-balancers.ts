/** Network load balancers for services of type `LoadBalancer`, as the AWS Load Balancer Controller makes them: straight to the pods, or to node ports of instances. */
import type { ClusterPorts, types } from '#kubernetes';
import type { ServiceBalancerPort, ServiceBalancers } from '../../elbv2/index.ts';
import type { ClusterRecord } from '../records.ts';
import type { EksState } from '../state.ts';
import { balancerWishes, type BalancerWishes } from './service-annotations.ts';

type LoadBalancers = NonNullable<ClusterPorts['loadBalancers']>;

const CLASS = 'service.k8s.aws/nlb';

export interface LoadBalancerParts {
  readonly state: Pick<EksState, 'network' | 'store'>;
  readonly balancers: ServiceBalancers;
}

export function loadBalancersOf({ state, balancers }: LoadBalancerParts, cluster: ClusterRecord): LoadBalancers {
  const { network } = state;
  const scope = { account: cluster.account, region: cluster.region };
  const groupOf = (service: types.Service) => ({ ...scope, vpcId: cluster.vpcId, name: `k8s-elb-${nameOf(service)}` });
  const removeOwnGroup = async (service: types.Service) => {
    const group = await network.findSecurityGroup(groupOf(service));
    if (group) await state.store.txn({ success: network.planDeleteSecurityGroup(scope, group.id) });
  };
  return {
    isFor: ({ spec }) => spec?.loadBalancerClass === undefined || spec.loadBalancerClass === CLASS,

    async ensure({ service, nodes, slices, warn }) {
      const wishes = balancerWishes(service);
      for (const warning of wishes.warnings ?? []) warn(warning);
      const ports = portsOf(service, wishes, wishes.targetType === 'ip' ? podsOf(slices) : instancesOf(nodes));
      const tags = {
        ...wishes.tags,
        [`kubernetes.io/cluster/${cluster.name}`]: 'owned',
        'kubernetes.io/service-name': `${service.metadata?.namespace}/${service.metadata?.name}`,
      };
      const sources = service.spec?.loadBalancerSourceRanges ?? [];
      const ownGroup = async () =>
        await network.ensureSecurityGroup({
          ...groupOf(service),
          description: `Security group for Kubernetes ELB ${nameOf(service)}`,
          tags,
          ingress: ports.flatMap(({ port, protocol }) =>
            (sources.length ? sources : ['0.0.0.0/0']).map((cidr) => ({
              port,
              cidr,
              protocol: protocol === 'UDP' ? ('udp' as const) : ('tcp' as const),
            })),
          ),
        });
      const { hostname } = await balancers.ensure({
        ...scope,
        name: nameOf(service),
        scheme: wishes.scheme,
        subnets: subnetWishes(await subnetsFor(network, cluster, wishes), wishes),
        // The cluster's own group lets it reach the pods; the others let clients reach it.
        securityGroupIds: [...(wishes.securityGroupIds ?? [(await ownGroup()).id]), cluster.securityGroupId],
        tags,
        ...(wishes.attributes && { attributes: wishes.attributes }),
        ports,
      });
      if (wishes.securityGroupIds) await removeOwnGroup(service);
      return [{ hostname }];
    },

    async remove(service) {
      await balancers.delete(scope, nameOf(service));
      await removeOwnGroup(service);
    },
  };
}

/** The uid, as the cloud provider of upstream makes names of it. */
function nameOf({ metadata }: types.Service): string {
  return `a${(metadata?.uid ?? '').replaceAll('-', '')}`.slice(0, 32);
}

/** The subnets that the service names, or the first of the cluster's in each zone. */
async function subnetsFor(
  network: EksState['network'],
  cluster: ClusterRecord,
  { subnetIds }: BalancerWishes,
): Promise<readonly string[]> {
  const scope = { account: cluster.account, region: cluster.region };
  const subnets = await Promise.all(
    (subnetIds ?? cluster.network.subnetIds).map(async (id) => await network.subnet(scope, id)),
  );
  return [...new Map(subnets.toReversed().map(({ zone, id }) => [zone, id])).values()].toReversed();
}

/** Addresses are given to subnets in their order, and there are as many. */
function subnetWishes(subnetIds: readonly string[], { allocationIds, privateIps }: BalancerWishes) {
  for (const list of [allocationIds, privateIps])
    if (list && list.length !== subnetIds.length)
      throw new Error(`${list.length} addresses are named for ${subnetIds.length} subnets`);
  return subnetIds.map((subnetId, index) => ({
    subnetId,
    allocationId: allocationIds?.[index],
    privateIp: privateIps?.[index],
  }));
}

type Port = NonNullable<NonNullable<types.Service['spec']>['ports']>[number];
type Target = ServiceBalancerPort['targets'][number];

/** Each port with those that serve it now. */
function portsOf(
  { spec }: types.Service,
  { targetType, targetAttributes, healthCheck }: BalancerWishes,
  targetsOf: (port: Port) => readonly Target[],
): readonly ServiceBalancerPort[] {
  return (spec?.ports ?? []).flatMap((each) => {
    const { port, protocol = 'TCP' } = each;
    if (protocol !== 'TCP' && protocol !== 'UDP') return [];
    return {
      protocol,
      port,
      targetType,
      targets: targetsOf(each),
      // A service that answers where its pods are does so for their sake who want to know their clients.
      preservesClientIp: targetType === 'instance' && spec?.externalTrafficPolicy === 'Local',
      ...(targetAttributes && { attributes: targetAttributes }),
      ...(healthCheck && { healthCheck }),
    };
  });
}

/** The pods that are ready, at the ports that slices name. */
function podsOf(slices: readonly types.EndpointSlice[]): (port: Port) => readonly Target[] {
  return ({ name, protocol = 'TCP' }) =>
    slices.flatMap((slice) => {
      const target = slice.ports?.find(
        (each) => (each.name ?? '') === (name ?? '') && (each.protocol ?? 'TCP') === protocol,
      );
      if (target?.port === undefined) return [];
      const ready = slice.endpoints.filter(({ conditions }) => conditions?.ready !== false);
      return ready.flatMap(({ addresses }) => addresses.map((id) => ({ id, port: target.port! })));
    });
}

/** Every node that is an instance, at the service's node port. */
function instancesOf(nodes: readonly types.Node[]): (port: Port) => readonly Target[] {
  const ids = nodes.flatMap(({ spec }) => /\/(i-[0-9a-f]+)$/.exec(spec?.providerID ?? '')?.[1] ?? []);
  return ({ nodePort }) => (nodePort ? ids.map((id) => ({ id, port: nodePort })) : []);
}
