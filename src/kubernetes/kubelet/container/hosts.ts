import type * as types from '../../types.ts';

/** How a pod's containers are called: its own name, or `hostname`, and its domain when it has a `subdomain`. */
export function podNames(
  { metadata, spec }: types.Pod,
  domain: string,
): { readonly hostname: string; readonly fqdn?: string } {
  // Names of pods may be longer than what the kernel takes.
  const hostname = (spec?.hostname || metadata?.name || '').slice(0, 63).replace(/[-.]+$/, '');
  return spec?.subdomain
    ? { hostname, fqdn: `${hostname}.${spec.subdomain}.${metadata?.namespace}.svc.${domain}` }
    : { hostname };
}

/** The text of /etc/hosts of a pod, `hostAliases` included. Behaviour: kubelet `managedHostsFileContent`. */
export function hostsText(
  pod: types.Pod,
  { podIp, domain }: { readonly podIp: string; readonly domain: string },
): string {
  const { hostname, fqdn } = podNames(pod, domain);
  const lines = [
    pod.spec?.hostNetwork ? '# Kubernetes-managed hosts file (host network).' : '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    fqdn === undefined ? `${podIp}\t${hostname}` : `${podIp}\t${fqdn}\t${hostname}`,
  ];
  return `${lines.join('\n')}\n${aliasesText(pod)}`;
}

/** What `hostAliases` add. */
export function aliasesText({ spec }: types.Pod): string {
  const aliases = spec?.hostAliases ?? [];
  if (!aliases.length) return '';
  const lines = aliases.map(({ ip, hostnames }) => [ip, ...(hostnames ?? [])].join('\t'));
  return `\n# Entries added by HostAliases.\n${lines.join('\n')}\n`;
}
