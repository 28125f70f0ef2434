import type { Versioned } from '#store';
import { versionId, type LaunchTemplateRecord, type TemplateCollections, type TemplateVersion } from './records.ts';

/** A template as it was kept until each version had a record of its own. */
type OlderRecord = Omit<LaunchTemplateRecord, 'latestKept' | 'versionCount'> & {
  readonly versions: readonly TemplateVersion[];
};

/** The template with its versions in records of their own, where it had them in itself. */
export async function upToDate(
  collections: TemplateCollections,
  seen: Versioned<LaunchTemplateRecord | OlderRecord>,
): Promise<Versioned<LaunchTemplateRecord>> {
  const { store, templates, versions } = collections;
  if (!('versions' in seen.value)) return { ...seen, value: seen.value };
  const { versions: embedded, ...rest } = seen.value;
  const record = { ...rest, latestKept: embedded.at(-1)!.number, versionCount: embedded.length };
  await store.txn({
    compare: [templates.ifUnchanged({ ...seen, value: record })],
    success: [
      templates.put(seen.id, record),
      ...embedded.map((version) => versions.put(versionId(seen.id, version.number), version)),
    ],
  });
  // If that failed, somebody else was faster: with this, or with tags for the older record.
  const now = await templates.get(seen.id);
  return now ? await upToDate(collections, now) : { ...seen, value: record };
}
