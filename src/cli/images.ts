import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { layoutOf, publishBaseImage, publishedBaseImages, type Layout } from '#daemon';
import { flag, text, UsageError, type Command } from './command.ts';
import { requireRoot } from './doctor.ts';
import { Progress } from './progress.ts';
import { busybox } from './seed/busybox.ts';
import { debian } from './seed/debian.ts';
import { node } from './seed/node.ts';
import type { Recipe } from './seed/recipe.ts';

/** In an order in which each comes after its base. */
const recipes: readonly Recipe[] = [busybox, debian, node];

export const images: Command = {
  summary: 'images seed [busybox] [debian] [node]: base images from this machine’s package sources',
  usage: 'seed [NAME…] [--data DIR]',
  options: { force: { type: 'boolean', help: 'make them anew even if they are there' } },
  async run(invocation) {
    const [verb, ...names] = invocation.positionals;
    if (verb !== 'seed')
      throw new UsageError(
        'dabba images: expected "seed"',
        'for everything else use docker: docker images, docker pull, docker rmi',
      );
    requireRoot();
    const unknown = names.find((name) => !recipes.some((recipe) => recipe.name === name));
    if (unknown)
      throw new UsageError(
        `there is no recipe for "${unknown}"`,
        `known: ${recipes.map(({ name }) => name).join(', ')}`,
      );
    await seed(layoutOf(text(invocation, 'data')), names.length ? names : recipes.map(({ name }) => name), {
      isForced: flag(invocation, 'force'),
    });
    return 0;
  },
};

/** Makes the named base images, their bases first, and publishes them in the local public gallery. What is there already stays. */
export async function seed(
  layout: Layout,
  names: readonly string[],
  options: { readonly isForced: boolean },
): Promise<void> {
  const present = new Set(await publishedBaseImages(layout));
  const wanted = new Set(names);
  for (const recipe of recipes.toReversed())
    if (recipe.base && wanted.has(recipe.name)) wanted.add(recipe.base.split(':')[0]!);
  for (const recipe of recipes.filter(({ name }) => wanted.has(name))) {
    const reference = `public.ecr.aws/docker/library/${recipe.name}`;
    const isAsked = names.includes(recipe.name);
    using progress = new Progress(reference);
    if (present.has(recipe.name) && !(options.isForced && isAsked)) progress.done('is there already');
    else progress.done(`published, ${await make(layout, recipe, (words) => progress.report(words))}`);
  }
}

/** Fills a directory, publishes it as an image, and returns the image's digest. */
async function make(layout: Layout, recipe: Recipe, report: (words: string) => void): Promise<string> {
  const scratch = join(layout.data, 'tmp');
  mkdirSync(scratch, { recursive: true });
  const root = mkdtempSync(join(scratch, `seed-${recipe.name}-`));
  try {
    report('collecting files');
    await recipe.fill(root, report);
    report('publishing');
    const tar = archive(root);
    const { tags, base, config, comment, name } = recipe;
    const { digest } = await publishBaseImage(
      layout,
      { name, tags, config, comment, ...(base !== undefined && { base }) },
      tar.stream,
    );
    await tar.ended;
    return digest;
  } finally {
    // Renamed away first: a tree half removed must not look like one being made.
    renameSync(root, `${root}.trash`);
    await rm(`${root}.trash`, { recursive: true, force: true });
  }
}

/** The directory as a tar stream, the same bytes for the same files: sorted, with numeric owners and no time later than now's day. */
function archive(root: string): { readonly stream: AsyncIterable<Uint8Array>; readonly ended: Promise<void> } {
  const midnight = Math.floor(Date.now() / 86_400_000) * 86_400;
  const args = [
    '-C',
    root,
    '--sort=name',
    '--numeric-owner',
    '--xattrs',
    `--mtime=@${midnight}`,
    '--clamp-mtime',
    '--format=posix',
    '--pax-option=delete=atime,delete=ctime',
    '-cf',
    '-',
    '.',
  ];
  const child = spawn('tar', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => (status === 0 ? resolve() : reject(new Error(`tar ended with status ${status}`))));
  });
  return { stream: child.stdout, ended };
}
