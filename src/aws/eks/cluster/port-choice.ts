import { createServer } from 'node:net';
import { DabbaError, systemCode, type Random } from '#base';

/** Ports that the kernel gives to nobody by itself: those above Linux's usual ephemeral range, which ends at 60999. */
const FIRST_PORT = 61_000;
const COUNT = 65_535 - FIRST_PORT;
const ATTEMPTS = 64;

/** A loopback port for a new API server: none that another cluster has, and that nobody listens at now. Throws `Unavailable`. */
export async function choosePort(taken: ReadonlySet<number>, random: Random): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST_PORT + Math.floor(random.fraction() * COUNT);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new DabbaError('Unavailable', `no port above ${FIRST_PORT} is free for an API server`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  } catch (error) {
    if (systemCode(error) === 'EADDRINUSE') return false;
    throw error;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}
