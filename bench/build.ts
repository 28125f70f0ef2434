/**
 * How fast dabba builds: a Dockerfile of six steps, cold and cached, against the classic docker builder and buildah.
 *   node bench/build.ts        (root; nothing else busy on the machine)
 * Prints the medians of interleaved runs and dabba's ratios. Nothing is left behind.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../test/harness/dabba.ts';
import { busyboxTar } from '../test/system/busybox.ts';
import { dockerAt, type Docker } from './docker-client.ts';
import { compare, type Subject } from './paired.ts';
import { Peers, command, discard } from './peers.ts';

const ROUNDS = 7;
const image = 'localhost/bench:base';
const project = resolve(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'dabba-bench-build-'));
const data = join(work, 'data');
const context = join(work, 'context');
const dockerfile = `FROM ${image}
ENV A=1
COPY blob /blob
RUN sha256sum /blob > /sum
RUN mkdir -p /app && echo one > /app/one
COPY small /app/
RUN cat /app/* > /app/all
CMD ["cat", "/app/all"]
`;

const peers = new Peers(work);
const { environment } = peers;
const dabba = (...args: string[]) =>
  command(join(project, 'dabba'), [...args, '--data', data], { ...environment, LD_LIBRARY_PATH: '' });
try {
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  writeFileSync(join(context, 'blob'), Buffer.alloc(2 << 20, 'dabba'));
  writeFileSync(join(context, 'small'), 'small\n');
  const rootfs = join(work, 'rootfs.tar');
  writeFileSync(rootfs, Buffer.concat((await busyboxTar().toArray()) as Buffer[]));

  await dabba('up', '-d', '--port', String(await freePort()), '--public-cidr', `198.19.${process.pid % 200}.0/24`);
  await peers.startDocker();
  const client = { home: environment['HOME']!, image };
  const ours = dockerAt(join(data, 'docker.sock'), client);
  const theirs = dockerAt(peers.dockerSocket, client);
  await Promise.all([ours, theirs].map(async ({ cli }) => await cli('import', rootfs, image)));
  await importWithBuildah(rootfs);

  for (const kind of ['cold', 'cached'] as const) {
    const flags = kind === 'cold' ? ['--no-cache'] : [];
    const withDocker = (name: string, docker: Docker): Subject => ({
      name,
      once: async () => void (await docker.cli('build', '-q', '--network=none', ...flags, context)),
    });
    await compare(
      `build of six steps, ${kind}`,
      'ms',
      ROUNDS,
      [
        withDocker('dabba', ours),
        withDocker('docker classic', theirs),
        { name: 'buildah --layers', once: async () => await bud('--layers', ...flags, context) },
      ],
      [
        { ours: 'dabba', peer: 'docker classic', atMost: kind === 'cold' ? 0.7 : 1 },
        { ours: 'dabba', peer: 'buildah --layers', ...(kind === 'cold' && { atMost: 0.8 }) },
      ],
    );
  }
} finally {
  await dabba('down').catch((error: unknown) => console.error(error));
  await peers[Symbol.asyncDispose]();
  discard(work);
}

async function importWithBuildah(rootfs: string): Promise<void> {
  const base = join(work, 'base');
  mkdirSync(base);
  writeFileSync(join(base, 'Dockerfile'), 'FROM scratch\nADD rootfs.tar /\n');
  await command('cp', [rootfs, join(base, 'rootfs.tar')], environment);
  await bud('-t', image, base);
}

async function bud(...args: readonly string[]): Promise<void> {
  const flags = [
    '--signature-policy',
    peers.policy,
    '--runtime',
    '/usr/sbin/runc',
    '--isolation',
    'oci',
    '--network',
    'none',
  ];
  await command(peers.program('buildah'), [...peers.buildah, 'bud', ...flags, ...args], environment);
}
