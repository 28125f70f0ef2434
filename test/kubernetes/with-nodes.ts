/** An EKS cluster with two nodes on a daemon of the test's own, for what needs pods that run. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from '../harness/cluster.ts';
import { busybox, Dabba } from '../harness/dabba.ts';
import { Api, type Json, PATIENCE_MS, until } from './api.ts';
import { makeNamespace } from './lifecycle.ts';

export interface NodeCluster extends AsyncDisposable {
  readonly dabba: Dabba;
  readonly api: Api;
  readonly kubeconfig: string;
  /** `kubectl ARGS`, what it prints. */
  kubectl(...args: readonly string[]): Promise<string>;
}

export async function startNodeCluster(): Promise<NodeCluster> {
  await using held = new AsyncDisposableStack();
  const dabba = held.use(await Dabba.withBusybox());
  // Nodes with room for every pod of a file at once, and such that this machine can be two of them.
  const cluster = await Cluster.create(dabba, 'c', 't3.xlarge');
  const eks = async (...args: readonly string[]): Promise<Json> =>
    JSON.parse((await dabba.client('aws', ['eks', ...args, '--output', 'json'])).stdout);
  const described = await eks('describe-cluster', '--name', 'c');
  const { token } = (await eks('get-token', '--cluster-name', 'c')).status;
  const access = {
    server: described.cluster.endpoint as string,
    ca: Buffer.from(described.cluster.certificateAuthority.data as string, 'base64').toString(),
  };
  // The token of get-token lasts a quarter of an hour; the run goes on with an administrator's of the cluster itself.
  using first = new Api({ ...access, token });
  await first.post('/api/v1/namespaces/kube-system/serviceaccounts', { metadata: { name: 'e2e' } });
  await first.post('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'e2e' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'e2e', namespace: 'kube-system' }],
  });
  const issued = await first.post('/api/v1/namespaces/kube-system/serviceaccounts/e2e/token', {
    spec: { expirationSeconds: 7200 },
  });
  const api = held.use(new Api({ ...access, token: issued.status.token }));
  const ending = held.move();
  return {
    dabba,
    api,
    kubeconfig: cluster.kubeconfig,
    kubectl: async (...args) => await cluster.kubectl(...args),
    [Symbol.asyncDispose]: async () => await ending.disposeAsync(),
  };
}

/** Builds an image of busybox and files of this machine; answers its name. The nodes' engine has it at once. */
export async function imageWith(
  dabba: Dabba,
  name: string,
  files: { readonly [inside: string]: string },
): Promise<string> {
  const lines = Object.keys(files).map((inside, index) => `COPY ${index} ${inside}`);
  const dockerfile = dabba.file(`${name}/Dockerfile`, [`FROM ${busybox}`, ...lines, ''].join('\n'));
  for (const [index, path] of Object.values(files).entries()) copyFileSync(path, join(dockerfile, '..', String(index)));
  await dabba.docker('build', '-q', '-t', `${name}:test`, join(dockerfile, '..'));
  return `${name}:test`;
}

/** An image with the Node.js that runs this test, for servers that speak what busybox does not: TLS, UDP, HTTP/2. */
export function imageWithNode(dabba: Dabba): Promise<string> {
  return (nodeImage ??= makeNodeImage(dabba));
}

let nodeImage: Promise<string> | undefined;

async function makeNodeImage(dabba: Dabba): Promise<string> {
  const linked = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).matchAll(/(?:=> )?(\/\S+) \(0x/g);
  const libraries = Array.from(linked, ([, path = '']) => [path, realpathSync(path)] as const);
  return await imageWith(dabba, 'node', { '/bin/node': process.execPath, ...Object.fromEntries(libraries) });
}

export interface PodRun {
  readonly pod: Json;
  readonly log: string;
}

let runs = 0;

/** The tests of one namespace: runs pods to their end and reads what they said. */
export class Pods {
  readonly api: Api;
  readonly namespace: string;

  private constructor(api: Api, namespace: string) {
    this.api = api;
    this.namespace = namespace;
  }

  static async in(api: Api, prefix: string): Promise<Pods> {
    return new Pods(api, await makeNamespace(api, prefix));
  }

  path(resource: string, name?: string): string {
    return `/api/v1/namespaces/${this.namespace}/${resource}${name === undefined ? '' : `/${name}`}`;
  }

  async create(resource: string, object: Json): Promise<Json> {
    return await this.api.post(this.path(resource), object);
  }

  /** A pod of one container that runs `script` in a shell, unless `container` says otherwise; spec fields by `spec`. */
  pod(script: string, container: Json = {}, spec: Json = {}, metadata: Json = {}): Json {
    return {
      metadata: { name: `pod-${++runs}`, ...metadata },
      spec: {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'test', image: busybox, command: ['sh', '-c', script], ...container }],
        ...spec,
      },
    };
  }

  async log(name: string, container = 'test', query = ''): Promise<string> {
    return await this.api.get(`${this.path('pods', name)}/log?container=${container}${query}`);
  }

  /** Makes the pod and waits until it ended in `phase`. */
  async run(pod: Json, phase = 'Succeeded'): Promise<PodRun> {
    const { metadata } = await this.create('pods', pod);
    const ended = await until(this.api, this.path('pods', metadata.name), ({ status }) =>
      ['Succeeded', 'Failed'].includes(status.phase),
    );
    const log = await this.log(metadata.name, pod.spec.containers[0].name);
    if (ended.status.phase !== phase)
      throw new Error(`${metadata.name} ended ${ended.status.phase}: ${log} ${JSON.stringify(ended.status)}`);
    await this.api.delete(this.path('pods', metadata.name), { gracePeriodSeconds: 0 });
    return { pod: ended, log };
  }

  /** What a script prints in a pod made so. */
  async output(script: string, container: Json = {}, spec: Json = {}, metadata: Json = {}): Promise<string> {
    return (await this.run(this.pod(script, container, spec, metadata))).log.trim();
  }

  /** Makes the pod and waits until it is ready; answers it. */
  async ready(pod: Json): Promise<Json> {
    const { metadata } = await this.create('pods', pod);
    return await until(this.api, this.path('pods', metadata.name), ({ status }) =>
      status.conditions?.some(({ type, status: is }: Json) => type === 'Ready' && is === 'True'),
    );
  }

  /** Waits until a running container's output holds `text`. */
  async says(name: string, text: string, container = 'test'): Promise<void> {
    const response = await this.api.follow(
      `${this.path('pods', name)}/log?container=${container}&follow=true`,
      AbortSignal.timeout(PATIENCE_MS),
      (line) => line.includes(text),
    );
    if (!response) throw new Error(`${name} never said "${text}": ${await this.log(name, container)}`);
  }
}
