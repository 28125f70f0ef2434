import type * as types from '../../types.ts';

/**
 * Variables that tell a container of the services there are, as Docker links did: `WEB_SERVICE_HOST`, `WEB_PORT_80_TCP_ADDR` and so on, for the services of its own
 * namespace and, always, for the API server's own in `default`. Behaviour: kubelet `envvars.FromServices`.
 */
export function serviceEnvironment(
  services: readonly types.Service[],
  { namespace, isLinking }: { readonly namespace: string; readonly isLinking: boolean },
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const isMaster = ({ metadata }: types.Service) => metadata?.namespace === 'default' && metadata.name === 'kubernetes';
  for (const service of services)
    if (isMaster(service) || (isLinking && service.metadata?.namespace === namespace)) addService(variables, service);
  return variables;
}

function addService(variables: Map<string, string>, { metadata, spec }: types.Service): void {
  const address = spec?.clusterIP;
  const ports = spec?.ports ?? [];
  const [first] = ports;
  if (!address || address === 'None' || !first) return;
  const prefix = variableName(metadata?.name ?? '');
  variables.set(`${prefix}_SERVICE_HOST`, address);
  variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const { name, port } of ports)
    if (name) variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
  for (const { port, protocol = 'TCP' } of ports) {
    const url = `${protocol.toLowerCase()}://${address}:${port}`;
    if (port === first.port && protocol === (first.protocol ?? 'TCP')) variables.set(`${prefix}_PORT`, url);
    const linked = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    variables.set(linked, url);
    variables.set(`${linked}_PROTO`, protocol.toLowerCase());
    variables.set(`${linked}_PORT`, String(port));
    variables.set(`${linked}_ADDR`, address);
  }
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
