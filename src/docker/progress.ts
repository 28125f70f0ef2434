import type { LayerProgress } from '#engine';

export type ProgressWords = { readonly [state in LayerProgress['state']]: string };

export const pullWords: ProgressWords = {
  waiting: 'Pulling fs layer',
  exists: 'Already exists',
  transferring: 'Downloading',
  transferred: 'Download complete',
  unpacking: 'Extracting',
  done: 'Pull complete',
};

export const pushWords: ProgressWords = {
  waiting: 'Preparing',
  exists: 'Layer already exists',
  transferring: 'Pushing',
  transferred: 'Pushed',
  unpacking: 'Pushing',
  done: 'Pushed',
};

/** A layer's state as the CLI draws it. */
export function progressLine({ digest, state, currentBytes, totalBytes }: LayerProgress, words: ProgressWords): object {
  const isMoving = state === 'transferring' || state === 'unpacking';
  const progressDetail =
    isMoving && currentBytes !== undefined
      ? { current: currentBytes, ...(totalBytes === undefined ? {} : { total: totalBytes }) }
      : {};
  return { status: words[state], progressDetail, id: shortDigest(digest) };
}

/** Twelve digits, as everywhere in Docker. */
export const shortDigest = (digest: string) => digest.replace(/^[a-z0-9]+:/, '').slice(0, 12);
