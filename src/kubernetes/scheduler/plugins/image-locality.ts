import { MAX_SCORE, type Plugin } from '../plugin.ts';

const MEBIBYTE = 1024 * 1024;
const LOWEST = 23 * MEBIBYTE;
const HIGHEST_EACH = 1000 * MEBIBYTE;

/** Nodes that have the pod's images are better, the more the fewer nodes lack them. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  wokenBy: [],
  score({ pod }, state, nodes) {
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const images = containers.map(({ image }) => withTag(image ?? '')).filter((name) => state.imageNodes.has(name));
    if (!images.length) return undefined;
    const highest = HIGHEST_EACH * containers.length;
    const total = Math.max(1, state.nodes.length, nodes.length);
    return {
      score(node) {
        const sum = images.reduce(
          (bytes, name) => bytes + ((node.images.get(name) ?? 0) * (state.imageNodes.get(name) ?? 0)) / total,
          0,
        );
        const clamped = Math.min(Math.max(sum, LOWEST), highest);
        return Math.floor((MAX_SCORE * (clamped - LOWEST)) / (highest - LOWEST));
      },
    };
  },
};

function withTag(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') && !image.includes('@') ? `${image}:latest` : image;
}
