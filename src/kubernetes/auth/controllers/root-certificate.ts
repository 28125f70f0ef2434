/** Every namespace has the cluster's authority in the config map `kube-root-ca.crt`, which pods mount beside their token. Upstream: `pkg/controller/certificates/rootcacertpublisher`. */
import { type Controller, type ControllerParts, wakes } from '../../controllers/controller.ts';
import { configMaps, namespaces } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { ConfigMap } from '../../types.ts';
import { isEnding } from './namespaces.ts';

const name = 'kube-root-ca.crt';
const annotations = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
};

export function rootCertificateController(
  { informers }: Pick<ControllerParts, 'informers'>,
  certificatePem: string,
): Controller {
  const namespaceCopies = informers.of(namespaces);
  const maps = informers.of(configMaps, { fieldSelector: `metadata.name=${name}` });
  return {
    name: 'root-ca-certificate-publisher',
    wokenBy: [
      wakes(namespaceCopies, ({ now }) => (now ? [now.metadata!.name!] : [])),
      wakes(maps, ({ now, before }) => [(now ?? before)!.metadata!.namespace!]),
    ],
    reads: [
      [namespaces, namespaceCopies],
      [configMaps, maps],
    ],
    async reconcile(namespace, { api, signal }) {
      if (isEnding(namespaceCopies.get(namespace))) return;
      const wanted: ConfigMap = { metadata: { name, namespace, annotations }, data: { 'ca.crt': certificatePem } };
      const stored = maps.get(`${namespace}/${name}`);
      if (stored?.data?.['ca.crt'] === certificatePem) return;
      const written = stored
        ? api.update(configMaps, { ...stored, data: wanted.data! }, { signal })
        : api.create(configMaps, wanted, { signal });
      await written.catch((error: unknown) => {
        if (!isStatusError(error, 'AlreadyExists', 'NotFound', 'Forbidden')) throw error;
      });
    },
  };
}
