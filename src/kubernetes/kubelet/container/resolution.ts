import type * as types from '../../types.ts';

/** What a resolv.conf(5) says. */
export interface NameResolution {
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
  readonly options: readonly string[];
}

/** The most search domains and name servers that a resolv.conf may hold ("DNS for Services and Pods", Kubernetes documentation). */
const [mostDomains, mostServers] = [32, 3] as const;

/**
 * How the containers of a pod find names, by its `dnsPolicy`: the cluster's own service first, what the node itself uses, or nothing, and its `dnsConfig` on top.
 */
export function resolutionOf(
  { metadata, spec }: types.Pod,
  cluster: { readonly dnsAddress: string; readonly domain: string },
  node: Pick<NameResolution, 'nameservers' | 'searchDomains'>,
): NameResolution {
  const base = baseOf(spec, { namespace: metadata?.namespace ?? '', cluster, node });
  const { nameservers = [], searches = [], options = [] } = spec?.dnsConfig ?? {};
  const asked = options.map(({ name = '', value }) => (value ? `${name}:${value}` : name));
  const nameOf = (option: string) => option.split(':', 1)[0];
  return {
    nameservers: unique([...base.nameservers, ...nameservers]).slice(0, mostServers),
    searchDomains: unique([...base.searchDomains, ...searches]).slice(0, mostDomains),
    options: [...base.options.filter((option) => !asked.some((each) => nameOf(each) === nameOf(option))), ...asked],
  };
}

function baseOf(
  spec: types.Pod['spec'],
  {
    namespace,
    cluster,
    node,
  }: {
    readonly namespace: string;
    readonly cluster: { readonly dnsAddress: string; readonly domain: string };
    readonly node: Pick<NameResolution, 'nameservers' | 'searchDomains'>;
  },
): NameResolution {
  const policy = spec?.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { nameservers: [], searchDomains: [], options: [] };
  const isNodes = policy === 'Default' || (policy === 'ClusterFirst' && spec?.hostNetwork === true);
  if (isNodes) return { ...node, options: [] };
  const { dnsAddress, domain } = cluster;
  return {
    nameservers: [dnsAddress],
    searchDomains: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...node.searchDomains],
    options: ['ndots:5'],
  };
}

function unique(list: readonly string[]): readonly string[] {
  return [...new Set(list)];
}
