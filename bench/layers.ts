/**
 * How fast a layer is unpacked, beside the system's own tar.
 *   node bench/layers.ts [directory]        (root, with tar and pigz; nothing else busy on the machine; default: tmpfs)
 * Runs alternate, each into a directory of its own; the directories of a comparison are deleted behind it. Memory is touched once before,
 * for the first use of a page costs a virtual machine more than the unpacking.
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Digester, type Digest } from '#base';
import { openArchives } from '../src/engine/layer/worker-archives.ts';

const RUNS = 9;
const work = mkdtempSync(join(process.argv[2] ?? '/dev/shm', 'dabba-layers-'));
await using archives = openArchives();

try {
  const files = makeTree(join(work, 'tree'));
  const plain = join(work, 'layer.tar');
  const gzip = join(work, 'layer.tar.gz');
  execFileSync('tar', ['-C', join(work, 'tree'), '--numeric-owner', '-cf', plain, '.']);
  execFileSync('sh', ['-c', 'pigz -6 -c "$1" > "$2"', 'sh', plain, gzip]);
  const [diffId, digest] = await Promise.all([digestOf(plain), digestOf(gzip)]);
  console.log(`${files} files, ${(statSync(plain).size / 2 ** 20).toFixed(0)} MiB`);
  touchMemory(2 * (RUNS + 1) * statSync(plain).size);

  await compare('plain tar, no digest', {
    ours: (root) => unpack(plain, root, {}),
    theirs: (root) => void execFileSync('tar', ['-C', root, '-xpf', plain]),
  });
  await compare('plain tar, digest verified', {
    ours: (root) => unpack(plain, root, { expectedDiffId: diffId }),
    theirs: (root) => void execFileSync('tar', ['-C', root, '-xpf', plain]),
  });
  await compare('gzip, both digests verified, beside pigz | tar', {
    ours: (root) => unpack(gzip, root, { expectedDigest: digest, expectedDiffId: diffId }),
    theirs: (root) => void execFileSync('sh', ['-c', 'pigz -dc "$1" | tar -C "$2" -xpf -', 'sh', gzip, root]),
  });
} finally {
  rmSync(work, { recursive: true });
}

async function compare(
  name: string,
  sides: { readonly [side in 'ours' | 'theirs']: (root: string) => Promise<void> | void },
): Promise<void> {
  const times = { ours: [] as number[], theirs: [] as number[] };
  const runs = mkdtempSync(join(work, 'runs-'));
  for (let run = 0; run <= RUNS; run++)
    for (const side of run % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)) {
      const root = mkdtempSync(join(runs, `${side}-`));
      const startedAt = performance.now();
      await sides[side](root);
      if (run > 0) times[side].push(performance.now() - startedAt); // the first is for warming up
    }
  rmSync(runs, { recursive: true });
  const [ours, theirs] = [median(times.ours), median(times.theirs)];
  console.log(
    `${name.padEnd(48)} ours ${ours.toFixed(0)} ms   theirs ${theirs.toFixed(0)} ms   ${(theirs / ours).toFixed(2)}× as fast   n ${RUNS}`,
  );
}

async function unpack(
  archive: string,
  root: string,
  expected: { readonly expectedDigest?: Digest; readonly expectedDiffId?: Digest },
): Promise<void> {
  await using source = await open(archive); // as blobs are
  const sizeBytes = statSync(archive).size;
  await archives.unpack({ source, root, form: 'layer', sizeBytes, ...expected, signal: new AbortController().signal });
}

async function digestOf(path: string): Promise<Digest> {
  const digester = new Digester();
  for await (const chunk of createReadStream(path)) digester.update(chunk as Buffer);
  return digester.digest();
}

/** A tree like a distribution's: many small files, a few large, nested directories, links. The same every time. */
function makeTree(root: string): number {
  const words = Array.from({ length: 4096 }, (_, index) => ((index * 2_654_435_761) >>> 0).toString(36)).join(' ');
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  let count = 0;
  for (let directory = 0; directory < 1500; directory++) {
    const path = join(root, `d${directory % 30}`, `e${directory % 300}`, `f${directory}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 10; file++, count++) {
      const bytes = Math.floor(2 ** (6 + 9 * random() + (random() < 0.01 ? 6 : 0)));
      const start = Math.floor(random() * 10_000);
      const text = words.slice(start, start + Math.min(bytes, 8192));
      writeFileSync(join(path, `file-${file}.txt`), text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes));
    }
    symlinkSync('file-0.txt', join(path, 'link'));
  }
  return count;
}

/** Fills and frees as much as the runs will use. */
function touchMemory(bytes: number): void {
  const path = join(work, 'filler');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(2 ** 24, 1);
  for (let written = 0; written < bytes; written += block.length) writeSync(file, block);
  closeSync(file);
  rmSync(path);
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1]!;
}
