/**
 * Clients of `kubernetes-api.ts` in a process of their own: so many watches, each on a TLS connection. They are told where over IPC, say that they are open, and then each time that all
 * have seen a change, with the processor time they have used.
 */
import { request } from 'node:https';

/** What a watching process is told. */
export interface WatchOrder {
  readonly port: number;
  readonly path: string;
  readonly count: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** What it says when all have seen a change. */
export interface SeenByAll {
  readonly all: number;
}

if (import.meta.main) process.once('message', (order) => void follow(order as WatchOrder));

async function follow({ port, path, count, ...identity }: WatchOrder): Promise<void> {
  let seen = 0;
  const open = () =>
    new Promise<void>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, agent: false, ...identity } as const;
      const call = request(options, (response) => {
        response.on('error', () => undefined);
        // The first is what there is already.
        response.once('data', () => {
          response.on('data', () => {
            if (++seen % count === 0) process.send!({ all: usedMs() });
          });
          resolve();
        });
      });
      call.on('error', reject).end();
    });
  for (let opened = 0; opened < count; opened += 50)
    await Promise.all(Array.from({ length: Math.min(50, count) }, open));
  process.send!('open');
}

function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
