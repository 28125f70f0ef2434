import { DabbaError } from '#base';
import type * as types from '../../types.ts';

/** What of a pod is known on its node before its status is written. */
export interface DownwardFacts {
  readonly nodeName: string;
  readonly hostIp: string;
  readonly podIp: string | undefined;
}

/**
 * The value of a field of the pod ("Downward API", Kubernetes documentation). Throws `InvalidArgument` for a field that cannot be had.
 */
export function fieldValue(pod: types.Pod, fieldPath: string, facts: DownwardFacts): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(annotations|labels)\['([^']*)'\]$/.exec(fieldPath);
  if (subscript) return metadata?.[subscript[1] as 'annotations' | 'labels']?.[subscript[2]!] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return metadata?.name ?? '';
    case 'metadata.namespace':
      return metadata?.namespace ?? '';
    case 'metadata.uid':
      return metadata?.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata?.labels);
    case 'metadata.annotations':
      return formatMap(metadata?.annotations);
    case 'spec.nodeName':
      return facts.nodeName;
    case 'spec.serviceAccountName':
      return spec?.serviceAccountName ?? 'default';
    case 'spec.restartPolicy':
      return spec?.restartPolicy ?? 'Always';
    case 'status.hostIP':
    case 'status.hostIPs':
      return facts.hostIp;
    case 'status.podIP':
    case 'status.podIPs':
      return facts.podIp ?? '';
    default:
      throw new DabbaError('InvalidArgument', `unsupported fieldPath: ${fieldPath}`);
  }
}

/** `key="value"` a line, sorted, values quoted as Go quotes them. */
function formatMap(map: { readonly [name: string]: string } = {}): string {
  return Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join('\n');
}
