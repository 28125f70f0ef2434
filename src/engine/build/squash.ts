import { timeOf, timestampOf, type BuildRun } from './build-run.ts';
import { historyComment, type StageState } from './state.ts';
import { workOnTrees } from './trees.ts';

/** Makes one layer of those above the base image (`docker build --squash`). The history keeps its entries; the layer is that of a last one, so that no step can be taken from the image (`cache-sources.ts`). */
export async function squash(build: BuildRun, state: StageState): Promise<StageState> {
  const { base, diffIds, history } = state;
  if (diffIds.length <= base.layers + 1) return state;
  const { internals } = build.parts;
  const { snapshots } = internals;
  const { signal } = build.request;
  const parent = await chainBeneath(build, state);
  await using cleanup = new AsyncDisposableStack();
  const view = cleanup.use(await snapshots.openView(parent));
  const wanted = cleanup.use(await snapshots.openView(state.chainId));
  const upper = await snapshots.makeTemporary();
  cleanup.defer(() => snapshots.discard(upper));
  await workOnTrees({ kind: 'merge', upper, view: view.path, wanted: wanted.path }, signal);
  const layer = await internals.commitUpper({ parent, upper, ...timestampOf(build), signal });
  const above = history.slice(base.history).map((entry) => {
    const { cache_key: _, ...kept } = entry;
    return { ...kept, empty_layer: true };
  });
  const merged = {
    created: new Date(timeOf(build)).toISOString(),
    created_by: `merge ${diffIds.length - base.layers} layers`,
    comment: historyComment,
  };
  return {
    ...state,
    chainId: layer.chainId,
    diffIds: [...diffIds.slice(0, base.layers), layer.diffId],
    history: [...history.slice(0, base.history), ...above, merged],
  };
}

/** The chain of the base image: so many layers down from the top. */
async function chainBeneath(build: BuildRun, { base, diffIds, chainId }: StageState): Promise<StageState['chainId']> {
  let chain = chainId;
  for (let count = diffIds.length; count > base.layers && chain !== undefined; count--)
    chain = (await build.parts.internals.findLayer(chain))?.parent;
  return chain;
}
