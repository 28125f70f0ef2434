import { createInterface } from 'node:readline';
import https from 'node:https';
import { DescribeClusterCommand, type EKSClient } from '@aws-sdk/client-eks';

/** What a bench reads of any object. */
export interface Seen {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly readyReplicas?: number;
  };
}

type Condition = (object: Seen, isDeleted: boolean) => boolean;

export const isReady: Condition = ({ status }, isDeleted) =>
  !isDeleted && (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false);
export const isGone: Condition = (_object, isDeleted) => isDeleted;

/** A cluster's API over kept connections: what a controller pays, without the start of a kubectl. */
export class ClusterClient {
  readonly #server: string;
  readonly #token: string;
  readonly #agent: https.Agent;

  private constructor(server: string, ca: Buffer, token: string) {
    this.#server = server;
    this.#token = token;
    this.#agent = new https.Agent({ keepAlive: true, ca });
  }

  static async to(eks: EKSClient, name: string, token: string): Promise<ClusterClient> {
    const { cluster } = await eks.send(new DescribeClusterCommand({ name }));
    const ca = Buffer.from(cluster?.certificateAuthority?.data ?? '', 'base64');
    return new ClusterClient(cluster!.endpoint!, ca, token);
  }

  /** One call; its answer. Fails unless it is a 2xx. */
  async call(method: string, path: string, body?: object): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const request = https.request(
      new URL(path, this.#server),
      this.#options(method, body !== undefined),
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          if ((response.statusCode ?? 0) < 300) resolve(JSON.parse(text));
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        });
      },
    );
    request.on('error', reject).end(body && JSON.stringify(body));
    return await promise;
  }

  /** Watches a collection from now on. */
  async watch(path: string): Promise<Watch> {
    const { metadata } = (await this.call('GET', path)) as { metadata: { resourceVersion: string } };
    const url = new URL(`${path}?watch=1&resourceVersion=${metadata.resourceVersion}`, this.#server);
    const { promise, resolve, reject } = Promise.withResolvers<Watch>();
    const request = https.get(url, this.#options('GET', false), (response) => resolve(new Watch(request, response)));
    request.on('error', reject);
    return await promise;
  }

  close(): void {
    this.#agent.destroy();
  }

  #options(method: string, hasBody: boolean): https.RequestOptions {
    const headers = { authorization: `Bearer ${this.#token}`, ...(hasBody && { 'content-type': 'application/json' }) };
    return { method, agent: this.#agent, headers };
  }
}

/** The events of a watch, remembered by name, so that who waits too late still sees them. */
export class Watch {
  readonly #request: { destroy(): void };
  readonly #latest = new Map<string, { readonly object: Seen; readonly isDeleted: boolean; readonly at: number }>();
  #changed = Promise.withResolvers<void>();

  constructor(request: { destroy(): void }, lines: NodeJS.ReadableStream) {
    this.#request = request;
    const reader = createInterface({ input: lines });
    reader.on('error', () => undefined); // how a watch that is closed ends
    reader.on('line', (line) => {
      const { type, object } = JSON.parse(line) as { type: string; object: Seen };
      this.#latest.set(object.metadata.name, { object, isDeleted: type === 'DELETED', at: performance.now() });
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
  }

  /** Resolves with the time (of `performance.now`) at which the last of `count` objects met the condition. */
  async until(condition: Condition, count = 1, prefix = ''): Promise<number> {
    for (;;) {
      const met = [...this.#latest.values()].filter(
        ({ object, isDeleted }) => object.metadata.name.startsWith(prefix) && condition(object, isDeleted),
      );
      if (met.length >= count) return Math.max(...met.map(({ at }) => at));
      await this.#changed.promise;
    }
  }

  close(): void {
    this.#request.destroy();
  }
}
