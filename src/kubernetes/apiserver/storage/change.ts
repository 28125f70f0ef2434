import type { KubernetesObject } from '../../object.ts';
import type { StoredObject } from './stored-object.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

export type EventType = ChangeType | 'BOOKMARK' | 'ERROR';

const heads: { readonly [Type in EventType]: Buffer } = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
  BOOKMARK: Buffer.from('{"type":"BOOKMARK","object":'),
  ERROR: Buffer.from('{"type":"ERROR","object":'),
};
const tail = Buffer.from('}\n');

/** One object's change at one revision. */
export class Change<T extends KubernetesObject = KubernetesObject> {
  readonly revision: number;
  /** Undefined when the object was deleted. */
  readonly now: StoredObject<T> | undefined;
  readonly before: StoredObject<T> | undefined;
  /** What a watcher is shown: the new object, or the deleted one as it last was, under the deleting revision. */
  readonly shown: StoredObject<T>;
  #lines: Map<string, Map<string, Buffer>> | undefined;

  constructor(now: StoredObject<T> | undefined, before: StoredObject<T> | undefined, shown: StoredObject<T>) {
    this.revision = shown.revision;
    this.now = now;
    this.before = before;
    this.shown = shown;
  }

  /** Which event this is to somebody who sees only what is selected; undefined when it is none. */
  typeFor(isSelected: ((object: StoredObject<T>) => boolean) | undefined): ChangeType | undefined {
    const is = this.now !== undefined && (!isSelected || isSelected(this.now));
    const was = this.before !== undefined && (!isSelected || isSelected(this.before));
    if (is) return was ? 'MODIFIED' : 'ADDED';
    return was ? 'DELETED' : undefined;
  }

  /** The line, or frame, of a watch stream; made once for each type and form, and shared by all watchers. */
  line(type: ChangeType, form: string, make: (type: ChangeType, object: StoredObject<T>) => Buffer): Buffer {
    const lines = (this.#lines ??= new Map());
    let forms = lines.get(type);
    if (!forms) lines.set(type, (forms = new Map()));
    let bytes = forms.get(form);
    if (!bytes) forms.set(form, (bytes = make(type, this.shown)));
    return bytes;
  }
}

/** `{"type":"ADDED","object":…}` and a line feed. */
export function watchLine(type: EventType, object: Buffer): Buffer {
  return Buffer.concat([heads[type], object, tail]);
}
