/**
 * Fills the secrets of type `kubernetes.io/service-account-token` that somebody made for an account, and removes them with it: tokens that last, for what cannot
 * ask for new ones. Upstream: `pkg/controller/serviceaccount/tokens_controller.go`.
 */
import { type Controller, type ControllerParts, wakes } from '../../controllers/controller.ts';
import { keyOf } from '../../object.ts';
import { secrets, serviceAccounts } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Secret } from '../../types.ts';
import type { ServiceAccountTokens } from '../service-account-tokens.ts';

const type = 'kubernetes.io/service-account-token';
const nameAnnotation = 'kubernetes.io/service-account.name';
const uidAnnotation = 'kubernetes.io/service-account.uid';

export interface TokenSecretParts extends Pick<ControllerParts, 'informers'> {
  readonly tokens: ServiceAccountTokens;
  readonly certificatePem: string;
}

export function tokenSecretController({ informers, tokens, certificatePem }: TokenSecretParts): Controller {
  const accounts = informers.of(serviceAccounts);
  const copies = informers.of<Secret>(secrets, { fieldSelector: `type=${type}`, indexes: { account: accountKeys } });
  return {
    name: 'serviceaccount-token-controller',
    wokenBy: [
      wakes(copies, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(accounts, ({ now, before }) => copies.by('account', keyOf((now ?? before)!)).map(keyOf)),
    ],
    reads: [
      [secrets, copies],
      [serviceAccounts, accounts],
    ],
    async reconcile(key, { api, signal }) {
      const secret = copies.get(key);
      const [accountKey] = secret ? accountKeys(secret) : [];
      if (!secret || !accountKey || secret.metadata?.deletionTimestamp) return;
      const { name, namespace, uid } = secret.metadata!;
      const account = accounts.get(accountKey)?.metadata;
      const known = secret.metadata?.annotations?.[uidAnnotation];
      if (!account || (known && known !== account.uid)) {
        await api
          .delete(secrets, { namespace, name: name! }, { preconditions: { uid: uid! }, signal })
          .catch((error: unknown) => {
            if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
          });
        return;
      }
      const { token, 'ca.crt': authority } = secret.data ?? {};
      if (known && token && authority === encode(certificatePem)) return;
      const issue = () =>
        tokens.issue({
          namespace: namespace!,
          serviceAccount: { name: account.name!, uid: account.uid! },
          audiences: tokens.audiences,
          lifeSeconds: undefined,
          bound: { kind: 'Secret', name: name!, uid: uid! },
        }).token;
      await api.update(
        secrets,
        {
          ...secret,
          metadata: {
            ...secret.metadata,
            annotations: { ...secret.metadata?.annotations, [uidAnnotation]: account.uid! },
          },
          data: {
            ...secret.data,
            token: token || encode(issue()),
            'ca.crt': encode(certificatePem),
            namespace: encode(namespace!),
          },
        },
        { signal },
      );
    },
  };
}

/** `namespace/name` of the account a secret is for. */
function accountKeys({ metadata }: Secret): readonly string[] {
  const name = metadata?.annotations?.[nameAnnotation];
  return name ? [`${metadata?.namespace}/${name}`] : [];
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}
