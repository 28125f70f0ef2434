import type { Update, UpdateParam, UpdateType } from '@aws-sdk/client-eks';
import type { Operation } from '#store';
import type { CallContext, Handlers } from '../service.ts';
import { findCluster } from './find-cluster.ts';
import { idIn, notFound, type ClusterScope } from './names.ts';
import { pageOf } from './pages.ts';
import type { UpdateRecord } from './records.ts';
import type { EksState } from './state.ts';

/** What is changed: a cluster itself, or one of its parts. */
export interface UpdateRequest extends ClusterScope {
  readonly nodegroup?: string;
  readonly addon?: string;
  readonly type: UpdateType;
  /** Left out where undefined; lists are written as JSON. */
  readonly params: { readonly [type in NonNullable<UpdateParam['type']>]?: unknown };
}

/** An update that begins now, and what a transaction must write for it. */
export function newUpdate(
  { updates, random, clock }: Pick<EksState, 'updates' | 'random' | 'clock'>,
  request: UpdateRequest,
): { readonly record: UpdateRecord; readonly write: Operation } {
  const { params, ...rest } = request;
  const record: UpdateRecord = {
    ...rest,
    id: random.uuid(),
    params: Object.entries(params).flatMap(([type, value]) =>
      value === undefined
        ? []
        : [
            {
              type: type as NonNullable<UpdateParam['type']>,
              value: typeof value === 'string' ? value : JSON.stringify(value),
            },
          ],
    ),
    status: 'InProgress',
    errors: [],
    createdAt: clock.now(),
  };
  return { record, write: updates.put(idIn(record, record.id), record) };
}

/** What a transaction writes to call the updates of a cluster, or of one of its parts, done. */
export async function finishUpdates(
  { updates }: Pick<EksState, 'updates'>,
  scope: ClusterScope,
  part: { readonly nodegroup?: string; readonly addon?: string } = {},
): Promise<readonly Operation[]> {
  const all = await updates.list(idIn(scope, ''));
  return all
    .filter(({ value }) => value.status === 'InProgress')
    .filter(({ value }) => value.nodegroup === part.nodegroup && value.addon === part.addon)
    .map(({ id, value }) => updates.put(id, { ...value, status: 'Successful' }));
}

export function toUpdate(record: UpdateRecord): Update {
  return {
    id: record.id,
    status: record.status,
    type: record.type,
    params: [...record.params],
    createdAt: new Date(record.createdAt),
    errors: [...record.errors],
  };
}

interface PartInput {
  readonly name?: string | undefined;
  readonly nodegroupName?: string | undefined;
  readonly addonName?: string | undefined;
}

export function updateHandlers(state: EksState) {
  async function ofPart(input: PartInput, context: CallContext): Promise<UpdateRecord[]> {
    const { value: cluster } = await findCluster(state, context, input.name);
    const all = await state.updates.list(idIn({ ...cluster, cluster: cluster.name }, ''));
    return all
      .map(({ value }) => value)
      .filter(({ nodegroup, addon }) => nodegroup === input.nodegroupName && addon === input.addonName);
  }

  return {
    async DescribeUpdate(input, context) {
      const found = (await ofPart(input, context)).find(({ id }) => id === input.updateId);
      if (!found) throw notFound(`No update found for ID: ${input.updateId}`);
      return { update: toUpdate(found) };
    },

    async ListUpdates(input, context) {
      const { items, nextToken } = pageOf(await ofPart(input, context), ({ id }) => id, input);
      return { updateIds: items.map(({ id }) => id), nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}
