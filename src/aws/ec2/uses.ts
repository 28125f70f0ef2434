import { Collection, type Compare, type Operation, type Store } from '#store';
import { AwsError } from '../errors.ts';
import { keyIn, type Scope } from './scope.ts';

/**
 * What makes "no children" true at the moment a parent is deleted, without children's creators contending for the parent's record.
 * Whoever makes a child touches the parent's mark in the same transaction; whoever deletes the parent reads the mark, looks for children,
 * and deletes only if the mark has not moved since.
 */
export class Uses {
  readonly #marks: Collection<{ readonly parentId: string }>;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    this.#marks = new Collection(store, 'ec2/uses/');
  }

  /** Part of the transaction that makes a child of `parentId`. */
  touch(scope: Scope, parentId: string): Operation {
    return this.#marks.put(keyIn(scope, parentId), { parentId });
  }

  /**
   * Makes a child whose validity depends on its siblings (no overlap, a unique name): `plan` reads and checks them, and runs again when
   * another child came in between.
   */
  async add(
    scope: Scope,
    parentId: string,
    plan: () => Promise<{ readonly compare?: readonly Compare[]; readonly success: readonly Operation[] }>,
  ): Promise<void> {
    for (let attempt = 0; attempt < 32; attempt++) {
      const mark = await this.#unmoved(scope, parentId);
      const { compare = [], success } = await plan();
      const { succeeded } = await this.#store.txn({
        compare: [mark, ...compare],
        success: [...success, this.touch(scope, parentId)],
      });
      if (succeeded) return;
    }
    throw new AwsError('RequestLimitExceeded', `${parentId} changes faster than the request can be carried out.`);
  }

  /** That nothing came under `parentId` since now. */
  async #unmoved(scope: Scope, parentId: string): Promise<Compare> {
    const id = keyIn(scope, parentId);
    const mark = await this.#marks.get(id);
    return mark ? this.#marks.ifUnchanged(mark) : this.#marks.ifAbsent(id);
  }

  /**
   * Deletes a parent unless `findUse` names a child. `removal` is asked after the look, and may compare further. Throws `DependencyViolation` with `refusal` when
   * there is a child, or when children come faster than it can look.
   */
  async remove(
    scope: Scope,
    parent: { readonly id: string; readonly refusal: string },
    findUse: () => Promise<boolean>,
    removal: () => { readonly compare?: readonly Compare[]; readonly success: readonly Operation[] },
  ): Promise<void> {
    for (let attempt = 0; attempt < 8; attempt++) {
      const mark = await this.#unmoved(scope, parent.id);
      if (await findUse()) break;
      const { compare = [], success } = removal();
      const { succeeded } = await this.#store.txn({
        compare: [mark, ...compare],
        success: [...success, this.#marks.remove(keyIn(scope, parent.id))],
      });
      if (succeeded) return;
    }
    throw new AwsError('DependencyViolation', parent.refusal);
  }
}
