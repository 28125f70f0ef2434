/** An APIService for each group version that the cluster serves itself, as `kubectl get apiservices` shows them. Source: kube-aggregator `pkg/controllers/autoregister`, kube-apiserver `aggregator.go`. */
import { type Controller, type ControllerParts, copyOf, wakes } from '../../controllers/controller.ts';
import { apiVersionOf, parseApiVersion } from '../../object.ts';
import { apiServices } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { APIService } from '../../types.ts';
import type { Catalog } from '../catalog.ts';

const MANAGED = 'kube-aggregator.kubernetes.io/automanaged';

/** `groupPriorityMinimum` and `versionPriority`. */
const priorities: { readonly [apiVersion: string]: readonly [group: number, version: number] } = {
  v1: [18_000, 1],
  'apps/v1': [17_800, 15],
  'events.k8s.io/v1': [17_750, 15],
  'authentication.k8s.io/v1': [17_700, 15],
  'authorization.k8s.io/v1': [17_600, 15],
  'autoscaling/v1': [17_500, 15],
  'autoscaling/v2': [17_500, 30],
  'batch/v1': [17_400, 15],
  'certificates.k8s.io/v1': [17_300, 15],
  'networking.k8s.io/v1': [17_200, 15],
  'policy/v1': [17_100, 15],
  'rbac.authorization.k8s.io/v1': [17_000, 15],
  'storage.k8s.io/v1': [16_800, 15],
  'apiextensions.k8s.io/v1': [16_700, 15],
  'admissionregistration.k8s.io/v1': [16_700, 15],
  'scheduling.k8s.io/v1': [16_600, 15],
  'coordination.k8s.io/v1': [16_500, 15],
  'node.k8s.io/v1': [16_300, 15],
  'discovery.k8s.io/v1': [16_200, 15],
  'flowcontrol.apiserver.k8s.io/v1': [16_100, 21],
  'resource.k8s.io/v1': [15_900, 20],
};
const ofCustom = [1000, 100] as const;

/** Groups that elsewhere are others' to serve, and here too when somebody brings a server; and the one that all this is of. */
const unmanaged = new Set(['metrics.k8s.io', 'apiregistration.k8s.io']);

export function localServicesController({
  catalog,
  informers,
}: Pick<ControllerParts, 'informers'> & { readonly catalog: Catalog }): Controller {
  const copy = informers.of(apiServices);
  return {
    name: 'api-service-registration',
    wokenBy: [
      {
        start(add) {
          const addAll = () => catalog.groupVersions().forEach(add);
          addAll();
          return catalog.onChange(() => {
            addAll();
            for (const service of copy.list()) add(servedBy(service));
          });
        },
        synced: () => copy.synced(),
      },
      wakes(copy, ({ now, before }) => [servedBy((now ?? before)!)]),
    ],
    reads: [copyOf(apiServices, copy)],
    async reconcile(apiVersion, { api, signal }) {
      const { group, version } = parseApiVersion(apiVersion);
      const name = `${version}.${group}`;
      const stored = copy.get(name);
      const isServed = catalog.groupVersions().includes(apiVersion) && !unmanaged.has(group);
      if (isServed && !stored) await api.create(apiServices, localService(apiVersion), { signal });
      if (!isServed && stored?.metadata?.labels?.[MANAGED] && !stored.spec?.service)
        await api.delete(apiServices, { name }, { signal }).catch((error: unknown) => {
          if (!isStatusError(error, 'NotFound')) throw error;
        });
    },
  };
}

function localService(apiVersion: string): APIService {
  const { group, version } = parseApiVersion(apiVersion);
  const own = priorities[apiVersion];
  const [groupPriorityMinimum, versionPriority] = own ?? ofCustom;
  return {
    metadata: { name: `${version}.${group}`, labels: { [MANAGED]: own ? 'onstart' : 'true' } },
    spec: { group, version, groupPriorityMinimum, versionPriority },
  };
}

function servedBy({ spec }: APIService): string {
  return apiVersionOf({ group: spec?.group ?? '', version: spec?.version ?? '' });
}
