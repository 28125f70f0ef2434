/** Nothing is made in a namespace that does not exist or is ending, and the system's own namespaces do not end. Upstream: `admission/plugin/namespace/lifecycle`. */
import type { AdmissionPlugin, AdmissionRequest } from '../auth/user.ts';
import { namespaces } from '../resources.ts';
import { notFound, StatusError } from '../status.ts';
import { isOf, reader, refusal, type AdmissionParts } from './plugin.ts';

const immortal = new Set(['default', 'kube-system', 'kube-public']);

export function namespaceLifecycle({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const all = reader(informers.of(namespaces));

  return {
    name: 'NamespaceLifecycle',
    async validate(request) {
      const { operation, type, name, namespace } = request;
      if (isOf(type, namespaces)) {
        if (operation === 'DELETE' && !request.subresource && immortal.has(name))
          throw refusal(request, 'this namespace may not be deleted');
        return [];
      }
      // What is there may always be changed or removed, so that an ending namespace can be emptied.
      if (!namespace || operation !== 'CREATE' || type.group === 'authorization.k8s.io') return [];
      const found = (await all()).get(namespace);
      if (!found) throw notFound(namespaces, namespace);
      if (found.metadata?.deletionTimestamp || found.status?.phase === 'Terminating') throw ending(request, namespace);
      return [];
    },
  };
}

/** The cause lets controllers stop trying. */
function ending(request: AdmissionRequest, namespace: string): StatusError {
  const { message, details } = refusal(
    request,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  return new StatusError('Forbidden', message, { details: { ...details, causes: [cause] } });
}
