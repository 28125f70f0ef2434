/**
 * Gives every pod its service account: the name, the pull secrets, and the volume with token, authority and namespace under
 * `/var/run/secrets/kubernetes.io/serviceaccount`. Upstream: `plugin/pkg/admission/serviceaccount`.
 */
import { once } from 'node:events';
import type { AdmissionPlugin, AdmissionRequest } from '../auth/user.ts';
import type { Informer } from '../client/informer.ts';
import { pods, serviceAccounts } from '../resources.ts';
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../types.ts';
import { creates, present, reader, refusal, type AdmissionParts } from './plugin.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
/** An hour and seven seconds: upstream's number, by which a bound token is told from others. */
const tokenLifeSeconds = 3607;
/** How long a pod waits for the account that a new namespace is about to get; upstream tries ten times. */
const defaultAccountWaitMs = 2000;
const mirrorAnnotation = 'kubernetes.io/config.mirror';

export function serviceAccount({ informers, random }: Pick<AdmissionParts, 'informers' | 'random'>): AdmissionPlugin {
  const accounts = reader(informers.of(serviceAccounts));

  return {
    name: 'ServiceAccount',
    async mutate(request) {
      if (!creates(request, pods)) return request.object!;
      const pod = request.object as Pod;
      if (pod.metadata?.annotations?.[mirrorAnnotation] !== undefined) {
        refuseMirrorReferences(request, pod);
        return pod;
      }
      const name = pod.spec?.serviceAccountName || 'default';
      const account = await find(await accounts(), request.namespace!, name);
      if (!account) {
        const key = `${request.namespace}/${name}`;
        throw refusal(request, `error looking up service account ${key}: serviceaccount "${name}" not found`);
      }
      const spec = { ...pod.spec!, serviceAccountName: name, serviceAccount: name };
      return { ...pod, spec: withPullSecrets(withTokenVolume(spec, account, random.text(5, suffixAlphabet)), account) };
    },
  };
}

/** apimachinery `util/rand`: no vowels and no look-alikes. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

async function find(copies: Informer<ServiceAccount>, namespace: string, name: string) {
  const key = `${namespace}/${name}`;
  const found = copies.get(key);
  // A namespace's own account is made right after it: whoever makes both at once waits for it, and for nothing else.
  if (found || name !== 'default') return found;
  const arrival = new EventTarget();
  const stop = copies.onChange(({ now }) => {
    if (now?.metadata?.namespace === namespace && now.metadata.name === name)
      arrival.dispatchEvent(new Event('arrived'));
  });
  try {
    await once(arrival, 'arrived', { signal: AbortSignal.timeout(defaultAccountWaitMs) });
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error;
  } finally {
    stop();
  }
  return copies.get(key);
}

/** A mirror pod shows what runs already: it may have nothing that the API server would have to supply. */
function refuseMirrorReferences(request: AdmissionRequest, { spec }: Pod): void {
  if (spec?.serviceAccountName) throw refusal(request, 'a mirror pod may not reference service accounts');
  const hasToken = spec?.volumes?.some(({ projected }) =>
    projected?.sources?.some((source) => source.serviceAccountToken),
  );
  if (hasToken) throw refusal(request, 'a mirror pod may not use ServiceAccountToken volume projections');
}

function withPullSecrets(spec: PodSpec, { imagePullSecrets }: ServiceAccount): PodSpec {
  return spec.imagePullSecrets?.length || !imagePullSecrets?.length ? spec : { ...spec, imagePullSecrets };
}

function withTokenVolume(spec: PodSpec, account: ServiceAccount, suffix: string): PodSpec {
  const wantsToken = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
  if (!wantsToken) return spec;
  const existing = spec.volumes?.find(({ name }) => present(name)?.startsWith('kube-api-access-'));
  const volumeName = existing?.name ?? `kube-api-access-${suffix}`;
  const mount = { name: volumeName, readOnly: true, mountPath };
  const withMount = (container: Container): Container =>
    container.volumeMounts?.some((other) => other.mountPath === mountPath)
      ? container
      : { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
  // Validation, which comes later, refuses a pod without containers.
  const containers = (spec.containers ?? []).map(withMount);
  const initContainers = spec.initContainers?.map(withMount);
  const isMounted = [...containers, ...(initContainers ?? [])].some((container) =>
    container.volumeMounts?.some(({ name }) => name === volumeName),
  );
  if (!isMounted) return spec;
  return {
    ...spec,
    containers,
    ...(initContainers && { initContainers }),
    volumes: existing ? spec.volumes! : [...(spec.volumes ?? []), tokenVolume(volumeName)],
  };
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenLifeSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    },
  };
}
