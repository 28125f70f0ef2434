/** A cluster over a memory store, for tests: its clients in process and over HTTPS. */
import { request } from 'node:https';
import { DabbaError, silentLogger, systemClock, systemRandom } from '#base';
import { memoryStore, type Store } from '#store';
import { createAuthority, createClientCertificate } from './auth/certificates.ts';
import { createSigningKey } from './auth/json-web-token.ts';
import { type Cluster, type ClusterParts, startCluster } from './cluster.ts';
import { HttpClient } from './client/http-client.ts';
import type { ClusterPorts, ClusterSettings } from './cluster-settings.ts';

export interface TestCluster extends Cluster, AsyncDisposable {
  readonly settings: ClusterSettings;
  /** An administrator's. */
  readonly credentials: { readonly certificatePem: string; readonly keyPem: string };
  /** The administrator's client over HTTPS. */
  remote(): HttpClient;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  readonly body?: object | string;
  readonly headers?: { readonly [name: string]: string };
  readonly isAnonymous?: boolean;
}

export interface Answer {
  readonly code: number;
  readonly body: string;
  readonly bytes: Buffer;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
}

export interface TestClusterOptions {
  readonly store?: Store;
  readonly ports?: Partial<ClusterPorts>;
  readonly logger?: ClusterParts['logger'];
  /** Default: none, the API server alone. */
  readonly components?: ClusterParts['components'];
}

const parts = { clock: systemClock, random: systemRandom };
/** Keys take time to make; tests share them. */
let shared: Promise<Pick<ClusterSettings, 'ca' | 'serviceAccountKey'> & Pick<TestCluster, 'credentials'>> | undefined;

async function makeKeys() {
  const ca = await createAuthority('test', parts);
  const credentials = await createClientCertificate(ca, { username: 'admin', groups: ['system:masters'] }, parts);
  return { ca, serviceAccountKey: createSigningKey(), credentials };
}

/** Starts a cluster of its own; disposing of it stops it and closes its store. */
export async function makeTestCluster({
  store = memoryStore(),
  ports = {},
  logger = silentLogger,
  components = [],
}: TestClusterOptions = {}): Promise<TestCluster> {
  const { ca, serviceAccountKey, credentials } = await (shared ??= makeKeys());
  const settings: ClusterSettings = {
    id: 'c1',
    name: 'test',
    tenant: '000000000000',
    serviceCidr: '10.100.0.0/16',
    dnsAddress: '10.100.0.10',
    domain: 'cluster.local',
    port: 0,
    serverNames: [],
    ca,
    serviceAccountKey,
    issuer: 'https://oidc.test/id/1',
  };
  const cluster = await startCluster(settings, {
    ...parts,
    store,
    logger,
    components,
    ports: { ...noPorts, ...ports },
  });
  return {
    ...cluster,
    settings,
    credentials,
    remote: () =>
      new HttpClient({
        server: `https://127.0.0.1:${cluster.port}`,
        certificateAuthorityPem: ca.certificatePem,
        identity: credentials,
        fieldManager: 'test',
      }),
    call: (method, path, options = {}) =>
      call({ port: cluster.port, ca: ca.certificatePem, credentials }, { method, path, ...options }),
    async [Symbol.asyncDispose]() {
      await cluster.stop();
      await store.close();
    },
  };
}

const noPorts: ClusterPorts = {
  tokenAuthenticators: [],
  authorizers: [],
  admissionPlugins: [],
  dialKubelet: (node) => Promise.reject(new DabbaError('Unavailable', `there is no kubelet of ${node}`)),
};

interface Server {
  readonly port: number;
  readonly ca: string;
  readonly credentials: TestCluster['credentials'];
}

function call(
  { port, ca, credentials }: Server,
  { method, path, body, headers = {}, isAnonymous }: CallOptions & { readonly method: string; readonly path: string },
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request(
    {
      method,
      path,
      port,
      host: '127.0.0.1',
      ca,
      ...(!isAnonymous && { cert: credentials.certificatePem, key: credentials.keyPem }),
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      agent: false,
    },
    (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          code: response.statusCode ?? 0,
          get body() {
            return this.bytes.toString();
          },
          bytes: Buffer.concat(pieces),
          headers: response.headers,
        }),
      );
    },
  );
  sent.on('error', reject);
  sent.end(typeof body === 'object' ? JSON.stringify(body) : body);
  return promise;
}

/** A logger for a cluster that keeps what was refused to whom: components must live within their roles. */
export function refusalLog() {
  const refusals: string[] = [];
  const note = (_message: string, fields?: { readonly error?: string }) => {
    if (fields?.error?.includes('is forbidden: User')) refusals.push(fields.error);
  };
  const logger: ClusterParts['logger'] = { info() {}, warn: note, error: note, with: () => logger };
  return { logger, refusals };
}
