/** Parts of a cluster's API that other servers serve, as APIServices say, and whether they do. Source: kube-aggregator `pkg/apiserver`, `pkg/controllers/status/remote`. */
import { type Clock, isDabbaError, isoSeconds, type Logger, messageOf, type Random } from '#base';
import { KeyedQueue } from '#reconcile';
import type { DialService } from '../../admission/webhooks/call.ts';
import type { ApiClient } from '../../client/client.ts';
import type { Informer, Informers } from '../../client/informer.ts';
import { apiVersionOf, type GroupVersion, parseApiVersion } from '../../object.ts';
import { apiServices, endpointSlices, services } from '../../resources.ts';
import { openApiPath } from '../../schema/openapi/document.ts';
import { isStatusError } from '../../status.ts';
import type { APIService, EndpointSlice } from '../../types.ts';
import { jsonOf } from './answer.ts';
import type { FrontProxy } from './front-proxy.ts';
import { requestRemote } from './request.ts';

/** As discovery tells it: `meta/v1` "APIResource". */
export interface RemoteResource {
  readonly name: string;
  readonly singularName?: string;
  readonly namespaced?: boolean;
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

export interface RemoteApi {
  readonly spec: NonNullable<APIService['spec']>;
  readonly isAvailable: boolean;
  /** As last heard. */
  readonly resources: readonly RemoteResource[];
}

export interface RemoteApisParts {
  readonly client: ApiClient;
  readonly informers: Informers;
  readonly dialService: DialService;
  readonly frontProxy: FrontProxy;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** How often a server is asked whether it is there: nothing announces that it is not. */
const CHECK_MS = 30_000;
const TIMEOUT_MS = 5000;

type Condition = NonNullable<NonNullable<APIService['status']>['conditions']>[number];
type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

export class RemoteApis {
  readonly #parts: RemoteApisParts;
  readonly #copy: Informer<APIService>;
  /** By group version, what was heard of each. */
  readonly #heard = new Map<string, RemoteApi>();

  constructor(parts: RemoteApisParts) {
    this.#parts = parts;
    this.#copy = parts.informers.of(apiServices);
  }

  /** Begins to look after them, until the signal aborts. */
  start(): void {
    const { clock, random, logger, signal, informers } = this.#parts;
    const queue = new KeyedQueue({
      clock,
      random,
      signal,
      concurrency: 2,
      work: (name) => this.#check(name),
      onFailure: (name, error) => {
        if (!isStatusError(error, 'Conflict', 'NotFound'))
          logger.warn('an API service was not looked after', { name, error: messageOf(error) });
      },
    });
    const stop = this.#copy.onChange(({ now, before }) => {
      // One without a service is the cluster's own, though it was another's before.
      if (!now?.spec?.service) this.#heard.delete(keyOf((now ?? before)!));
      else if (!this.#heard.has(keyOf(now))) this.#hear(now, { isAvailable: false });
      queue.add((now ?? before)!.metadata!.name!);
    });
    // A server may be there as soon as a pod behind its service is.
    let slices: (() => void) | undefined;
    const stopFollowing = this.#copy.onChange(({ now }) => {
      if (now?.spec?.service) slices ??= this.#wakeBySlices(informers, (name) => queue.add(name));
    });
    signal.addEventListener('abort', () => [stop, stopFollowing, slices].forEach((end) => end?.()), { once: true });
  }

  /** The server of a group version; undefined when it is the cluster's own. */
  find(groupVersion: GroupVersion): RemoteApi | undefined {
    return this.#heard.get(apiVersionOf(groupVersion));
  }

  groupVersions(): readonly GroupVersion[] {
    return [...this.#heard.keys()].map(parseApiVersion);
  }

  #wakeBySlices(informers: Informers, add: (name: string) => void): () => void {
    return informers.of<EndpointSlice>(endpointSlices).onChange(({ now, before }) => {
      const { namespace, labels } = (now ?? before)!.metadata ?? {};
      for (const { metadata, spec } of this.#copy.list())
        if (spec?.service?.namespace === namespace && spec?.service?.name === labels?.['kubernetes.io/service-name'])
          add(metadata!.name!);
    });
  }

  async #check(name: string): Promise<void | { readonly afterMs: number }> {
    const apiService = this.#copy.get(name);
    if (!apiService?.spec) return;
    const verdict = apiService.spec.service
      ? await this.#ask(apiService)
      : { status: 'True', reason: 'Local', message: 'Local APIServices are always available' };
    if (apiService.spec.service && this.#copy.get(name)?.spec?.service) {
      const isAvailable = verdict.status === 'True';
      this.#hear(apiService, { isAvailable, ...('resources' in verdict && { resources: verdict.resources }) });
    }
    await this.#tell(apiService, { status: verdict.status, reason: verdict.reason!, message: verdict.message! });
    if (apiService.spec.service) return { afterMs: CHECK_MS };
  }

  #hear({ spec }: APIService, heard: Partial<RemoteApi>): void {
    const key = apiVersionOf(groupVersionOf(spec!));
    const { isAvailable = false, resources = [] } = { ...this.#heard.get(key), ...heard };
    this.#heard.set(key, { spec: spec!, isAvailable, resources });
  }

  async #ask({ spec }: APIService): Promise<Verdict & { readonly resources?: readonly RemoteResource[] }> {
    const { namespace, name } = spec!.service!;
    const copy = this.#parts.informers.of(services);
    await copy.synced();
    if (!copy.get(`${namespace}/${name}`))
      return no('ServiceNotFound', `service/${name} in "${namespace}" is not present`);
    const path = `/${openApiPath(groupVersionOf(spec!))}`;
    try {
      const resources = await this.#discover(spec!, path);
      return { status: 'True', reason: 'Passed', message: 'all checks passed', resources };
    } catch (error) {
      if (isStatusError(error, 'ServiceUnavailable'))
        return no('MissingEndpoints', `endpoints for service/${name} in "${namespace}" have no addresses`);
      const why = `failing or missing response from https://${name}.${namespace}.svc:${spec!.service!.port ?? 443}${path}`;
      return no('FailedDiscoveryCheck', `${why}: ${isDabbaError(error) ? error.message : messageOf(error)}`);
    }
  }

  async #discover(spec: RemoteApi['spec'], path: string): Promise<readonly RemoteResource[]> {
    const answer = await requestRemote(this.#parts, {
      spec,
      method: 'GET',
      path,
      headers: { accept: ['application/json'] },
      user: { username: 'system:kube-aggregator', groups: ['system:masters'] },
      signal: AbortSignal.any([this.#parts.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    if (answer.statusCode !== 200) {
      answer.destroy();
      throw new Error(`bad status: ${answer.statusCode}`);
    }
    return resourcesIn(await jsonOf(answer));
  }

  async #tell(apiService: APIService, verdict: Verdict): Promise<void> {
    const { clock, client } = this.#parts;
    const conditions = apiService.status?.conditions ?? [];
    const before = conditions.find(({ type }) => type === 'Available');
    if (
      before &&
      before.status === verdict.status &&
      before.reason === verdict.reason &&
      before.message === verdict.message
    )
      return;
    const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime : isoSeconds(clock.now());
    const condition = { type: 'Available', ...verdict, ...(lastTransitionTime && { lastTransitionTime }) };
    const status = { conditions: [...conditions.filter(({ type }) => type !== 'Available'), condition] };
    await client.update(apiServices, { ...apiService, status }, { subresource: 'status' });
  }
}

function no(reason: string, message: string): Verdict {
  return { status: 'False', reason, message };
}

function keyOf({ spec }: APIService): string {
  return apiVersionOf(groupVersionOf(spec!));
}

function groupVersionOf({ group = '', version = '' }: NonNullable<APIService['spec']>): GroupVersion {
  return { group, version };
}

/** What a server says of itself is anybody's word: entries that are none are left out. */
function resourcesIn(value: unknown): readonly RemoteResource[] {
  const { resources } = (value ?? {}) as { readonly resources?: unknown };
  if (!Array.isArray(resources)) throw new Error('the answer is no list of resources');
  return resources.filter(
    (one: unknown): one is RemoteResource =>
      typeof one === 'object' &&
      one !== null &&
      typeof (one as Partial<RemoteResource>).name === 'string' &&
      typeof (one as Partial<RemoteResource>).kind === 'string' &&
      Array.isArray((one as Partial<RemoteResource>).verbs),
  );
}
