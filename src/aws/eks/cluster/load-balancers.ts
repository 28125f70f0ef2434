/** Network load balancers for services of type `LoadBalancer`, as the AWS Load Balancer Controller makes them with targets of type `ip`: straight to the pods. */
import type { ClusterPorts, types } from '#kubernetes';
import type { ServiceBalancerPort, ServiceBalancers } from '../../elbv2/index.ts';
import type { ClusterRecord } from '../records.ts';
import type { EksState } from '../state.ts';

type LoadBalancers = NonNullable<ClusterPorts['loadBalancers']>;

const CLASS = 'service.k8s.aws/nlb';
const SCHEME = 'service.beta.kubernetes.io/aws-load-balancer-scheme';
const INTERNAL = 'service.beta.kubernetes.io/aws-load-balancer-internal';
const SUBNETS = 'service.beta.kubernetes.io/aws-load-balancer-subnets';

export interface LoadBalancerParts {
  readonly state: Pick<EksState, 'network' | 'store'>;
  readonly balancers: ServiceBalancers;
}

export function loadBalancersOf({ state, balancers }: LoadBalancerParts, cluster: ClusterRecord): LoadBalancers {
  const { network } = state;
  const scope = { account: cluster.account, region: cluster.region };
  const groupOf = (service: types.Service) => ({ ...scope, vpcId: cluster.vpcId, name: `k8s-elb-${nameOf(service)}` });
  return {
    isFor: ({ spec }) => spec?.loadBalancerClass === undefined || spec.loadBalancerClass === CLASS,

    async ensure({ service, slices }) {
      const ports = portsOf(service, slices);
      const tags = {
        [`kubernetes.io/cluster/${cluster.name}`]: 'owned',
        'kubernetes.io/service-name': `${service.metadata?.namespace}/${service.metadata?.name}`,
      };
      const sources = service.spec?.loadBalancerSourceRanges ?? [];
      const group = await network.ensureSecurityGroup({
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
        scheme: schemeOf(service),
        subnetIds: await subnetsFor(network, cluster, service),
        // The cluster's own group lets it reach the pods; the other lets clients reach it.
        securityGroupIds: [group.id, cluster.securityGroupId],
        tags,
        ports,
      });
      return [{ hostname }];
    },

    async remove(service) {
      await balancers.delete(scope, nameOf(service));
      const group = await network.findSecurityGroup(groupOf(service));
      if (group) await state.store.txn({ success: network.planDeleteSecurityGroup(scope, group.id) });
    },
  };
}

/** The uid, as the cloud provider of upstream makes names of it. */
function nameOf({ metadata }: types.Service): string {
  return `a${(metadata?.uid ?? '').replaceAll('-', '')}`.slice(0, 32);
}

function schemeOf({ metadata }: types.Service): 'internal' | 'internet-facing' {
  const annotations = metadata?.annotations ?? {};
  const isInternal = annotations[SCHEME] === 'internal' || annotations[INTERNAL] === 'true';
  return isInternal ? 'internal' : 'internet-facing';
}

/** The subnets that the service names, or the first of the cluster's in each zone. */
async function subnetsFor(
  network: EksState['network'],
  cluster: ClusterRecord,
  { metadata }: types.Service,
): Promise<readonly string[]> {
  const named = metadata?.annotations?.[SUBNETS]?.split(',').map((id) => id.trim());
  const subnets = await Promise.all(
    (named ?? cluster.network.subnetIds).map((id) =>
      network.subnet({ account: cluster.account, region: cluster.region }, id),
    ),
  );
  const byZone = new Map(subnets.toReversed().map(({ zone, id }) => [zone, id]));
  return [...byZone.values()];
}

/** Each port with the pods that serve it now. */
function portsOf({ spec }: types.Service, slices: readonly types.EndpointSlice[]): readonly ServiceBalancerPort[] {
  return (spec?.ports ?? []).flatMap(({ port, protocol = 'TCP', name }) => {
    if (protocol !== 'TCP' && protocol !== 'UDP') return [];
    const targets = slices.flatMap((slice) => {
      const target = slice.ports?.find(
        (each) => (each.name ?? '') === (name ?? '') && (each.protocol ?? 'TCP') === protocol,
      );
      if (target?.port === undefined) return [];
      const ready = slice.endpoints.filter(({ conditions }) => conditions?.ready !== false);
      return ready.flatMap(({ addresses }) => addresses.map((address) => ({ address, port: target.port! })));
    });
    return [{ protocol, port, targets }];
  });
}
