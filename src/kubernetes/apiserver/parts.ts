import type { Clock, Logger, Random } from '#base';
import type { Store } from '#store';
import type { DialService } from '../admission/webhooks/call.ts';
import type { Authentication } from '../auth/authenticate.ts';
import type { Authorization } from '../auth/authorization.ts';
import type { ServiceAccountTokens } from '../auth/service-account-tokens.ts';
import type { AdmissionPlugin, UserInfo, Validate } from '../auth/user.ts';
import type { ApiClient } from '../client/client.ts';
import type { Informers } from '../client/informer.ts';
import type { Apply, Merge, TrackManagers } from '../merge/merge.ts';
import type { ObjectName, ResourceType } from '../object.ts';
import type { ObjectSchema, Schema, Schemas } from '../schema/schema.ts';
import type { ClusterPorts } from '../cluster-settings.ts';
import type { FrontProxy } from './aggregation/front-proxy.ts';
import type { RemoteApis } from './aggregation/remote-apis.ts';
import type { Catalog } from './catalog.ts';
import type { FlowControl } from './flow/flow-control.ts';
import type { RequestCounts } from './http/metrics.ts';
import type { Target } from './resource.ts';
import type { Lifetimes } from './storage/lifetimes.ts';
import type { RegistryFeed } from './storage/registry-feed.ts';

/** What every operation of an API server works with: made once for each cluster, in `cluster.ts`. */
export interface ApiParts {
  readonly store: Store;
  readonly feed: RegistryFeed;
  readonly lifetimes: Lifetimes;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly logs: ClusterPorts['logs'] | undefined;
  /** `kubernetes/<tenant>/<clusterId>/`. */
  readonly prefix: string;
  readonly serviceCidr: string;
  readonly catalog: Catalog;
  readonly authorization: Authorization;
  readonly authentication: Authentication;
  readonly tokens: ServiceAccountTokens;
  /** The API server's own copies. */
  readonly informers: Informers;
  /** Acts as the API server itself. */
  readonly admin: ApiClient;
  /** In upstream's order. */
  readonly admission: readonly AdmissionPlugin[];
  readonly validatorOf: (type: Pick<ResourceType, 'group' | 'resource' | 'isNamespaced'>) => Validate | undefined;
  readonly counts: RequestCounts;
  readonly flowControl: FlowControl;
  /** What other servers serve of the cluster's API. */
  readonly remoteApis: RemoteApis;
  /** As whom requests are passed on to them. */
  readonly frontProxy: FrontProxy;
  /** The way to servers behind the cluster's services. */
  readonly dialService: DialService;
  /** `ClusterPorts.dialKubelet`. */
  readonly dialKubelet: ClusterPorts['dialKubelet'];
  readonly schemas: Schemas;
  readonly merge: Merge & { readonly apply: Apply; readonly trackManagers: TrackManagers };
}

/** One call of the API, by whatever way it came. */
export interface Call extends Target {
  readonly user: UserInfo;
  readonly isDryRun: boolean;
  /** Empty when the client named none. */
  readonly fieldManager: string;
  readonly signal: AbortSignal;
  /** Tells the client, without refusing. */
  readonly warn: (warning: string) => void;
}

/** A call about one object. */
export type NamedCall = Call & ObjectName;

/** The schema of what a call writes; undefined when nothing is known of the kind. */
export function schemaOf(parts: Pick<ApiParts, 'schemas'>, { resource, version }: Target): ObjectSchema | undefined {
  const schema: Schema | undefined = version.schema ?? resource.schema ?? parts.schemas.of(version);
  return schema?.type === 'object' ? schema : undefined;
}
