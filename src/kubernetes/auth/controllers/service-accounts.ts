/** Every namespace has its account `default`. Upstream: `pkg/controller/serviceaccount`. */
import { type Controller, type ControllerParts, wakes } from '../../controllers/controller.ts';
import { namespaces, serviceAccounts } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import { isEnding } from './namespaces.ts';

export function serviceAccountController({ informers }: Pick<ControllerParts, 'informers'>): Controller {
  const namespaceCopies = informers.of(namespaces);
  const accounts = informers.of(serviceAccounts);
  return {
    name: 'serviceaccount-controller',
    wokenBy: [
      wakes(namespaceCopies, ({ now }) => (now ? [now.metadata!.name!] : [])),
      wakes(accounts, ({ now, before }) =>
        !now && before?.metadata?.name === 'default' ? [before.metadata.namespace!] : [],
      ),
    ],
    reads: [
      [namespaces, namespaceCopies],
      [serviceAccounts, accounts],
    ],
    async reconcile(namespace, { api, signal }) {
      if (isEnding(namespaceCopies.get(namespace)) || accounts.get(`${namespace}/default`)) return;
      await api
        .create(serviceAccounts, { metadata: { name: 'default', namespace } }, { signal })
        .catch((error: unknown) => {
          if (!isStatusError(error, 'AlreadyExists', 'NotFound', 'Forbidden')) throw error;
        });
    },
  };
}
