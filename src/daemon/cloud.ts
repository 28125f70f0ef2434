/** The cloud of the control plane: the AWS services over one store, wired to one another. Listeners and processes are elsewhere. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemRandom, type AccountId, type Clock, type Logger } from '#base';
import {
  createCloudTrail,
  createCloudWatch,
  createEc2,
  createEcr,
  createEcrPublic,
  createEcs,
  createEdge,
  createEks,
  createElbv2,
  type Eks,
  createLogs,
  createStsService,
  Idempotency,
  instanceProfiles,
  openIam,
  type MetadataServer,
  type ServiceDefinition,
  type TaskRole,
  type VpcCaller,
} from '#aws';
import { openDiskBlobStore } from '#blob';
import { nodeRecords } from '#node';
import type { RunReconcilersOptions } from '#reconcile';
import { createRegistry, createRegistryContent, garbageReconciler, type RegistryContent } from '#registry';
import { openSqliteStore, type Store } from '#store';
import { forgetRecords } from './forget.ts';
import { dialSocket } from './socket-api.ts';
import { DEFAULT_REGION, kubeletSockets, type Layout, type Settings } from './settings.ts';

export interface Cloud {
  readonly store: Store;
  readonly clock: Clock;
  readonly content: RegistryContent;
  readonly services: readonly ServiceDefinition[];
  readonly reconciling: Omit<RunReconcilersOptions, 'signal'>;
  /** A call of the AWS APIs, of a caller on loopback or inside a VPC. */
  aws(request: IncomingMessage, response: ServerResponse, from?: VpcCaller): Promise<void>;
  /** What an instance reads of itself. */
  readonly metadata: MetadataServer;
  registry(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Credentials of a task's role, for the agent on its node. */
  taskCredentials(taskArn: string, role: TaskRole): ReturnType<ReturnType<typeof createEcs>['taskCredentials']>;
  /** What kubelets and `dabba status` ask for. */
  readonly eks: Pick<
    Eks,
    'assignPodAddress' | 'releasePodAddress' | 'nodeCredentials' | 'podCredentials' | 'summary' | 'access'
  >;
  /** Forgets an account, or all accounts. */
  forget(account: AccountId | undefined): Promise<void>;
  close(): Promise<void>;
}

/** Opens the store and makes every service over it. `parts.store` stands in for the embedded one. */
export async function composeCloud(
  layout: Layout,
  settings: Settings,
  logger: Logger,
  parts: { readonly store?: Store } = {},
): Promise<Cloud> {
  const common = { clock: systemClock, random: systemRandom, logger };
  const store = parts.store ?? openSqliteStore({ ...common, directory: join(layout.data, 'store') });
  const closing = new AbortController();
  const endpoint = `http://127.0.0.1:${settings.port}`;

  const iam = await openIam({
    ...common,
    store,
    signal: closing.signal,
    // The listener is on loopback alone, so the well-known keys work.
    wellKnownKeys: true,
    rootKeys: settings.rootKey ? [{ account: settings.account, ...settings.rootKey }] : [],
  });
  const { identities, authorizer } = iam;
  const trail = createCloudTrail({ ...common, directory: join(layout.data, 'cloudtrail') });
  const watch = createCloudWatch();
  const ec2 = createEc2({
    ...common,
    store,
    publicCidr: settings.publicCidr,
    instanceProfiles: instanceProfiles(iam.directory),
    identities,
  });
  const logsDirectory = join(layout.data, 'logs');
  const logs = createLogs({ ...common, store, directory: logsDirectory });
  const ecs = createEcs({
    ...common,
    store,
    network: ec2.network,
    identities,
    nodes: nodeRecords(store),
    signal: closing.signal,
  });
  const elbv2 = createElbv2({ ...common, store, network: ec2.network, instances: ec2.instances });
  const eks = createEks({
    ...common,
    store,
    balancers: elbv2.balancers,
    logs: logs.service,
    network: ec2.network,
    instances: ec2.instances,
    launchTemplates: ec2.launchTemplates,
    identities,
    guestIdentities: iam.guestIdentities,
    startCluster: async (cluster, ports) => {
      const { createCluster } = await import('#kubernetes');
      return await createCluster(cluster, { ...common, store, ports });
    },
    dialKubelet: async ({ id }, signal) => await dialSocket(join(kubeletSockets(layout), `${id}.sock`), signal),
  });
  const blobs = await openDiskBlobStore({ directory: join(layout.data, 'registry'), clock: systemClock });
  const content = createRegistryContent({ store, blobs, clock: systemClock });
  const ecr = createEcr({
    ...common,
    store,
    content,
    authorizer,
    identities,
    defaultAccount: settings.account,
    defaultRegion: DEFAULT_REGION,
    audit: (event) => trail.registryAudit(event),
  });
  const registry = createRegistry({ ...common, content, policy: ecr.policy });

  const services: ServiceDefinition[] = [
    createStsService({ iam, clock: systemClock, issuerKeys: (issuer) => eks.issuerKey(issuer) }),
    iam.service,
    ec2.definition,
    logs.definition,
    ecs.definition,
    eks.definition,
    elbv2.definition,
    ecr.definition,
    createEcrPublic({ issueToken: ecr.issueToken }),
    trail.definition,
    watch.definition,
  ];
  const edge = createEdge({
    ...common,
    services,
    identities,
    guestIdentities: iam.guestIdentities,
    authorizer,
    endpoint,
    audit: trail,
    metrics: watch,
    idempotency: new Idempotency(store),
  });

  return {
    store,
    clock: systemClock,
    content,
    services,
    reconciling: {
      ...common,
      store,
      reconcilers: [
        ...ec2.reconcilers,
        ...ecs.reconcilers,
        ...eks.reconcilers,
        ...ecr.reconcilers,
        garbageReconciler(content, logger),
      ],
    },
    aws: (request, response, from) => edge.handle(request, response, from),
    metadata: ec2.metadata,
    registry: (request, response) => registry.handle(request, response),
    taskCredentials: (taskArn, role) => ecs.taskCredentials(taskArn, role),
    eks,
    async forget(account) {
      await forgetRecords(store, account);
      const path = account === undefined ? logsDirectory : join(logsDirectory, account);
      await Promise.all([rm(path, { recursive: true, force: true }), trail.forget(account)]);
    },
    async close() {
      closing.abort();
      await eks.stop();
      await trail.close();
      await store.close();
    },
  };
}
