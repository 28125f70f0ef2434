import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock, silentLogger, systemRandom, type Logger } from '#base';
import { memoryStore, type Store } from '#store';
import { openIam, type Iam } from './iam/index.ts';
import { Idempotency } from './idempotency.ts';
import type { ServiceDefinition } from './service.ts';
import { createStsService } from './sts/index.ts';
import { createEdge } from './edge/index.ts';
import type { FinishedCall } from './edge/index.ts';

/** An edge with IAM and STS on a socket, for tests, with what it reported. Time stands at the machine's time until it is moved. */
export interface TestWorld extends AsyncDisposable {
  readonly endpoint: string;
  readonly clock: ManualClock;
  readonly store: Store;
  readonly iam: Iam;
  readonly finished: FinishedCall[];
  readonly logged: string[];
}

export async function startTestWorld(services: readonly ServiceDefinition[] = []): Promise<TestWorld> {
  const clock = new ManualClock(Date.now());
  const store = memoryStore({ clock });
  const ending = new AbortController();
  const logged: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (message, fields) => logged.push(JSON.stringify({ message, ...fields })),
  };
  const common = { clock, random: systemRandom, logger };
  const iam = await openIam({ ...common, store, signal: ending.signal, wellKnownKeys: true });
  const finished: FinishedCall[] = [];
  const edge = createEdge({
    ...common,
    services: [iam.service, createStsService({ iam, clock }), ...services],
    identities: iam.identities,
    authorizer: iam.authorizer,
    audit: { observe: (call) => finished.push(call) },
    metrics: { observe() {} },
    endpoint: 'http://localhost',
    idempotency: new Idempotency(store),
  });
  const server = createServer((request, response) => void edge.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    clock,
    store,
    iam,
    finished,
    logged,
    async [Symbol.asyncDispose]() {
      ending.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await store.close();
    },
  };
}
