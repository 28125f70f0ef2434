import type { CacheChange, CachedEntry, Versioned } from '#store';
import { followed, type EcsCacheOptions } from './followed.ts';
import { idIn, type ClusterScope } from './names.ts';
import type { TaskRecord } from './records.ts';
import { TASKS_PREFIX } from './state.ts';

/** Tasks by their group, in memory: services and placement ask for one group of many at every change of a task. What is read is the store as it is then, or later. */
export class TaskGroups {
  readonly #groups = new Map<string, Map<string, CachedEntry<TaskRecord>>>();
  readonly #upToDate: () => Promise<void>;

  constructor(options: EcsCacheOptions) {
    this.#upToDate = followed<TaskRecord>(options, {
      prefix: TASKS_PREFIX,
      clear: () => this.#groups.clear(),
      note: (change) => this.#note(change),
    });
  }

  /** Every task of a group that is on record, the stopped ones too, by id. */
  async of(scope: ClusterScope, group: string): Promise<Versioned<TaskRecord>[]> {
    await this.#upToDate();
    return [...(this.#groups.get(groupKey(scope, group))?.values() ?? [])]
      .map(({ key, value, modRevision }) => ({ id: key.slice(TASKS_PREFIX.length), value, modRevision }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #note({ key, current, previous }: CacheChange<TaskRecord>): void {
    if (current) {
      const name = groupKey(current.value, current.value.group);
      const group = this.#groups.get(name);
      if (group) group.set(key, current);
      else this.#groups.set(name, new Map([[key, current]]));
    } else if (previous) {
      // The group of a task never changes.
      const name = groupKey(previous.value, previous.value.group);
      const group = this.#groups.get(name);
      group?.delete(key);
      if (!group?.size) this.#groups.delete(name);
    }
  }
}

function groupKey(scope: ClusterScope, group: string): string {
  return idIn(scope, group);
}
