import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { command, dockerProgram } from './peers.ts';

export const sleep = ['sleep', '1000'];

/** A Docker Engine API, by the docker client and by hand. */
export interface Docker {
  readonly cli: (...args: readonly string[]) => Promise<string>;
  /** A detached `sleep` without a network; its id. */
  start(): Promise<string>;
  /** `true` in a container, until it has ended. */
  exec(id: string): Promise<void>;
  remove(id: string): Promise<void>;
}

export function dockerAt(
  socketPath: string,
  { home, image }: { readonly home: string; readonly image: string },
): Docker {
  const agent = new Agent({ keepAlive: true });
  const environment = {
    HOME: home,
    PATH: process.env['PATH'] ?? '',
    DOCKER_BUILDKIT: '0',
    DOCKER_CONFIG: join(home, '.docker'),
  };
  const program = dockerProgram();
  const call = async (method: string, path: string, body?: unknown): Promise<string> =>
    await new Promise((settle, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      request({ socketPath, agent, method, path: `/v1.41${path}`, headers }, (response) => {
        response.toArray().then((chunks) => {
          const answer = Buffer.concat(chunks as Buffer[]).toString();
          if ((response.statusCode ?? 500) < 300) settle(answer);
          else reject(new Error(`${method} ${path}: ${answer}`));
        }, reject);
      })
        .on('error', reject)
        .end(text);
    });
  return {
    cli: async (...args) => await command(program, ['-H', `unix://${socketPath}`, ...args], environment),
    start: async () => {
      const created = await call('POST', '/containers/create', {
        Image: image,
        Cmd: sleep,
        HostConfig: { NetworkMode: 'none' },
      });
      const { Id } = JSON.parse(created) as { Id: string };
      await call('POST', `/containers/${Id}/start`);
      return Id;
    },
    exec: async (id) => {
      const created = await call('POST', `/containers/${id}/exec`, {
        Cmd: ['true'],
        AttachStdout: true,
        AttachStderr: true,
      });
      const { Id } = JSON.parse(created) as { Id: string };
      await call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
    },
    remove: async (id) => void (await call('DELETE', `/containers/${id}?force=1`)),
  };
}

export const startMany = async (docker: Docker, count: number) =>
  await Promise.all(Array.from({ length: count }, () => docker.start()));

/** A few at a time. */
export async function removeMany(docker: Docker, ids: readonly string[]): Promise<void> {
  const queue = [...ids];
  const work = async () => {
    for (let id = queue.pop(); id; id = queue.pop()) await docker.remove(id);
  };
  await Promise.all(Array.from({ length: 4 }, work));
}
