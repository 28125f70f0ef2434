/** Spreading endpoints over slices with as few writes as possible. Behaviour: kubernetes `endpointslice/reconciler.go`. */
import { isDeepStrictEqual } from 'node:util';
import type { EndpointSlice } from '../../types.ts';
import type { Endpoint, EndpointPort } from './members.ts';

/** Endpoints in one slice at most: upstream's `max-endpoints-per-slice`. */
export const SLICE_SIZE = 100;

/** Endpoints that have the same ports, and the slices there are for them. */
export interface PortGroup {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface SlicePlan {
  readonly toCreate: readonly Pick<EndpointSlice, 'endpoints' | 'ports'>[];
  readonly toUpdate: readonly EndpointSlice[];
  readonly toDelete: readonly EndpointSlice[];
}

/** Endpoints stay in the slice they are in; new ones fill slices that are written anyway, then others with room, then new slices. */
export function planSlices(existing: readonly EndpointSlice[], groups: readonly PortGroup[]): SlicePlan {
  const toCreate: Pick<EndpointSlice, 'endpoints' | 'ports'>[] = [];
  const toUpdate: EndpointSlice[] = [];
  const toDelete = new Set(existing);
  for (const group of groups) {
    const slices = existing.filter((slice) => isDeepStrictEqual(slice.ports ?? [], group.ports));
    const plan = planGroup(slices, group);
    toCreate.push(...plan.toCreate);
    toUpdate.push(...plan.toUpdate);
    for (const slice of plan.kept) toDelete.delete(slice);
  }
  return { toCreate, toUpdate, toDelete: [...toDelete] };
}

interface Draft {
  readonly slice: EndpointSlice;
  readonly endpoints: Endpoint[];
  isChanged: boolean;
}

function planGroup(slices: readonly EndpointSlice[], { ports, endpoints }: PortGroup) {
  const wanted = new Map(endpoints.map((endpoint) => [identityOf(endpoint), endpoint] as const));
  const drafts = slices.map((slice): Draft => {
    const kept: Endpoint[] = [];
    let isChanged = false;
    for (const old of slice.endpoints ?? []) {
      const now = wanted.get(identityOf(old));
      wanted.delete(identityOf(old));
      if (now) kept.push(now);
      isChanged ||= !now || !isDeepStrictEqual(old, now);
    }
    return { slice, endpoints: kept, isChanged };
  });
  const left = [...wanted.values()];
  const fill = (draft: Draft) => {
    const room = left.splice(0, SLICE_SIZE - draft.endpoints.length);
    draft.endpoints.push(...room);
    draft.isChanged ||= room.length > 0;
  };
  for (const draft of drafts) if (draft.isChanged) fill(draft);
  // The fullest that takes all the rest, so that slices do not multiply.
  const roomy = drafts.filter(({ endpoints }) => endpoints.length < SLICE_SIZE);
  for (const draft of roomy.sort((a, b) => b.endpoints.length - a.endpoints.length)) if (left.length) fill(draft);
  const toCreate: Pick<EndpointSlice, 'endpoints' | 'ports'>[] = [];
  while (left.length) toCreate.push({ endpoints: left.splice(0, SLICE_SIZE), ports });
  // A service without endpoints keeps one empty slice.
  if (!endpoints.length && !drafts.length) toCreate.push({ endpoints: [], ports });
  const filled = drafts.filter((draft) => draft.endpoints.length > 0);
  const kept = filled.length ? filled : drafts.slice(0, 1);
  return {
    toCreate,
    toUpdate: kept.filter(({ isChanged }) => isChanged).map(({ slice, endpoints }) => ({ ...slice, endpoints })),
    kept: kept.map(({ slice }) => slice),
  };
}

function identityOf({ targetRef, addresses }: Endpoint): string {
  return `${targetRef?.uid ?? ''}/${addresses[0]}`;
}
