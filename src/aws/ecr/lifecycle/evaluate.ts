import type { Digest } from '#base';
import type { ManifestRecord } from '#registry';
import { tagMatches } from '../repository.ts';
import type { LifecycleRule } from './policy.ts';

const DAY_MS = 86_400_000;

/** An image that goes, and the rule by which it does. */
export interface Expiring {
  readonly image: ManifestRecord;
  readonly priority: number;
}

/**
 * What a policy expires: ECR User Guide, "Lifecycle policy evaluation rules". Rules look at all images, as if none had gone yet; an image whose tags one rule is about is
 * no other's that comes later. What an index names stays as long as the index. Reference artifacts are no rule's: they go with their subject (`orphaned`).
 */
export function expiring(
  rules: readonly LifecycleRule[],
  images: readonly ManifestRecord[],
  now: number,
): readonly Expiring[] {
  const claimed = new Set<string>();
  const gone: Expiring[] = [];
  for (const rule of rules) {
    const concerned = images.filter((image) => !isReference(image) && isConcerned(rule, image));
    for (const image of selected(rule, concerned, now))
      if (!claimed.has(image.digest)) gone.push({ image, priority: rule.priority });
    for (const { digest } of concerned) claimed.add(digest);
  }
  const named = namedIn(images);
  return gone.filter(({ image }) => !named.has(image.digest));
}

/**
 * The reference artifacts (signatures, attestations) whose subject is not there. In a repository with a policy they go within a day of their subject, and not in their
 * own first one (ECR User Guide, "Signing images", considerations): they may be pushed before it.
 */
export function orphaned(images: readonly ManifestRecord[], now: number): readonly ManifestRecord[] {
  const present = new Set(images.map(({ digest }) => digest));
  const named = namedIn(images);
  return images.filter(
    (image) =>
      isReference(image) && !present.has(image.subject!) && !named.has(image.digest) && now - image.pushedAt > DAY_MS,
  );
}

/** A manifest that is there for the sake of another. One with a tag is an image of its own as well. */
function isReference({ subject, tags }: ManifestRecord): boolean {
  return subject !== undefined && tags.length === 0;
}

function namedIn(images: readonly ManifestRecord[]): ReadonlySet<Digest> {
  return new Set(images.flatMap(({ manifests }) => manifests));
}

function isConcerned({ tagStatus, tagPatterns }: LifecycleRule, { tags }: ManifestRecord): boolean {
  if (tagStatus === 'any') return true;
  if (tagStatus === 'untagged') return tags.length === 0;
  return tagPatterns.every((pattern) => tags.some((tag) => tagMatches(pattern, tag)));
}

function selected({ count }: LifecycleRule, images: readonly ManifestRecord[], now: number): readonly ManifestRecord[] {
  if (count.kind === 'more-than') return images.toSorted((a, b) => b.pushedAt - a.pushedAt).slice(count.images);
  const since = ({ pushedAt, lastPulledAt = pushedAt }: ManifestRecord) =>
    count.kind === 'pushed' ? pushedAt : lastPulledAt;
  return images.filter((image) => now - since(image) > count.days * DAY_MS).toSorted((a, b) => since(a) - since(b));
}
