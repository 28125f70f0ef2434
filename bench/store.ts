/**
 * Durable puts a second: the embedded store against one etcd member on the same disk, in the same minute.
 *   node bench/store.ts [directory]      (a directory on the disk to measure; nothing else busy on the machine)
 * Both get the same keys and values from the same number of writers, each waiting for its own acknowledgement. Windows alternate, and the
 * ratio is the median of each round's own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { systemClock } from '#base';
import { openSqliteStore } from '#store';

const ROUNDS = 7;
const WARM_UP_MS = 200;
const WINDOW_MS = 1000;
/** etcd commits to its tree some time after it answered; the other's window must not pay for that. */
const SETTLE_MS = 300;
const WRITERS = [1, 16, 256];
const KEYS = 10_000;
const VALUE = Buffer.from(JSON.stringify({ text: 'x'.repeat(498) }));
const TARGET = 5;

type Put = (key: string) => Promise<unknown>;

const work = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'dabba-bench-store-'));
const store = openSqliteStore({ directory: join(work, 'sqlite'), clock: systemClock });
const etcd = await startEtcd(join(work, 'etcd'));
try {
  const dabba: Put = (key) => store.txn({ success: [{ kind: 'put', key, value: VALUE }] });
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, value ${VALUE.length} bytes, ${ROUNDS} rounds`);
  console.log('writers   embedded puts/s   etcd puts/s   ratio (min – max)   target');
  let isMet = true;
  for (const writers of WRITERS) {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const order = round % 2 ? [etcd.put, dabba] : [dabba, etcd.put];
      const rates = new Map<Put, number>();
      for (const put of order) rates.set(put, await rateOf(put, writers));
      rounds.push({ dabba: rates.get(dabba)!, etcd: rates.get(etcd.put)! });
    }
    const ratios = rounds.map((one) => one.dabba / one.etcd);
    isMet &&= median(ratios) >= TARGET;
    console.log(
      [
        String(writers).padStart(7),
        median(rounds.map((one) => one.dabba))
          .toFixed(0)
          .padStart(17),
        median(rounds.map((one) => one.etcd))
          .toFixed(0)
          .padStart(13),
        `${median(ratios).toFixed(1)} (${Math.min(...ratios).toFixed(1)} – ${Math.max(...ratios).toFixed(1)})`.padStart(
          19,
        ),
        `≥ ${TARGET}`.padStart(8),
      ].join(' '),
    );
  }
  process.exitCode = isMet ? 0 : 1;
} finally {
  await etcd.stop();
  await store.close();
  rmSync(work, { recursive: true });
}

/** Acknowledged puts a second of `writers` that each wait for their own. */
async function rateOf(put: Put, writers: number): Promise<number> {
  await pause(SETTLE_MS);
  let acknowledged = 0;
  let key = 0;
  const startedAt = performance.now() + WARM_UP_MS;
  const endsAt = startedAt + WINDOW_MS;
  const write = async () => {
    while (performance.now() < endsAt) {
      key = (key + 7919) % KEYS;
      await put(`bench/objects/${key}`);
      const now = performance.now();
      if (now >= startedAt && now < endsAt) acknowledged++;
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  return (acknowledged * 1000) / WINDOW_MS;
}

async function startEtcd(directory: string): Promise<{ readonly put: Put; readonly stop: () => Promise<void> }> {
  const [clientPort, peerPort] = [await freePort(), await freePort()];
  const client = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const flags = {
    name: 'bench',
    'data-dir': directory,
    logger: 'zap',
    'log-level': 'error',
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `bench=${peer}`,
  };
  const child = spawn(
    'etcd',
    Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await once(child, 'spawn');
  const definition = loadPackageDefinition(loadSync(join(import.meta.dirname, 'etcd.proto')));
  // The shape of the definition is that of the proto file beside this one.
  const { KV } = definition['etcdserverpb'] as unknown as { readonly KV: ServiceClientConstructor };
  const kv = new KV(`127.0.0.1:${clientPort}`, credentials.createInsecure());
  await new Promise<void>((resolve, reject) =>
    kv.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve())),
  );
  const call = kv['Put']!.bind(kv) as unknown as (
    request: { readonly key: Buffer; readonly value: Buffer },
    done: (error: Error | null) => void,
  ) => void;
  return {
    put: (key) =>
      new Promise<void>((resolve, reject) =>
        call({ key: Buffer.from(key), value: VALUE }, (error) => (error ? reject(error) : resolve())),
      ),
    stop: async () => {
      kv.close();
      await end(child);
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill();
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
