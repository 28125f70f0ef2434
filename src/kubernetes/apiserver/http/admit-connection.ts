/** Admission of connections: who may exec into a pod, and how, is a webhook's question too. Upstream: `endpoints/handlers/rest.go`, "ConnectResource". */
import type { KubernetesObject } from '../../object.ts';
import { admit } from '../operations/write.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import type { Exchange } from './exchange.ts';

/** The kind of options that stands for the connection; reading a log is none. */
const kinds: { readonly [path: string]: string } = {
  'nodes/proxy': 'NodeProxyOptions',
  'pods/attach': 'PodAttachOptions',
  'pods/exec': 'PodExecOptions',
  'pods/portforward': 'PodPortForwardOptions',
  'pods/proxy': 'PodProxyOptions',
  'services/proxy': 'ServiceProxyOptions',
};

/** Throws what admission says against the connection. */
export async function admitConnection(parts: ApiParts, { url }: Exchange, call: NamedCall): Promise<void> {
  const kind = kinds[`${call.resource.type.resource}/${call.subresource}`];
  if (!kind) return;
  const { searchParams } = url;
  const flags = ['stdin', 'stdout', 'stderr', 'tty'].filter((name) =>
    /^(?:1|true)$/.test(searchParams.get(name) ?? ''),
  );
  const container = searchParams.get('container');
  const object = {
    apiVersion: 'v1',
    kind,
    ...Object.fromEntries(flags.map((name) => [name, true])),
    ...(container && { container }),
    ...(kind === 'PodExecOptions' && { command: searchParams.getAll('command') }),
  } as KubernetesObject;
  await admit(parts, call, { operation: 'CONNECT', name: call.name, object, oldObject: undefined });
}
