/** Counts how many pods of each budget may be disrupted: what evictions and preemption ask. Behaviour: kubernetes `pkg/controller/disruption`. */
import { isDeepStrictEqual } from 'node:util';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { podDisruptionBudgets, pods } from '../../resources.ts';
import { labelSelectorOf, matches } from '../../selector.ts';
import type { Pod, PodDisruptionBudget } from '../../types.ts';
import { scaledAmount } from '../amounts.ts';
import { conditionOf, withCondition } from '../conditions.ts';
import { type Change, type Controller, type ControllerParts, copyOf, wakes } from '../controller.ts';
import { podsIn } from '../indexes.ts';
import { instantOf, isDeleting, metaOf, timestampOf } from '../meta.ts';
import { isFinished, isReady } from '../pods.ts';
import { type ExpectedPods, expectedPodsOf } from './expected.ts';

const NAME = 'disruption-controller';
/** An eviction that was allowed and not followed by a deletion is forgotten after this long: upstream's `DeletionTimeout`. */
const FORGET_MS = 120_000;

type BudgetStatus = NonNullable<PodDisruptionBudget['status']>;

export function disruptionController(parts: ControllerParts): Controller {
  const budgets = parts.informers.of(podDisruptionBudgets);
  const podCopy = podsIn(parts.informers);
  const expectedPods = expectedPodsOf(parts.informers);
  return {
    name: NAME,
    wokenBy: [
      wakes(budgets, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(podCopy, (change) => concerned(budgets, change)),
    ],
    reads: [copyOf(podDisruptionBudgets, budgets), copyOf(pods, podCopy)],
    async reconcile(key, { api }) {
      const budget = budgets.get(key);
      if (!budget || isDeleting(budget)) return undefined;
      const selector = labelSelectorOf(budget.spec?.selector);
      const selected = podCopy
        .list(metaOf(budget).namespace)
        .filter((pod) => !isFinished(pod) && matches(selector, pod.metadata?.labels));
      const disrupted = stillDisrupted(budget, selected, parts.clock.now());
      const status = statusOf({ budget, selected, disrupted, expectedPods, now: timestampOf(parts.clock) });
      if (!isDeepStrictEqual(status, budget.status))
        await api.update(podDisruptionBudgets, { ...budget, status }, { subresource: 'status' });
      const oldest = Math.min(...Object.values(disrupted).map(instantOf));
      return Number.isFinite(oldest) ? { afterMs: Math.max(1, oldest + FORGET_MS - parts.clock.now()) } : undefined;
    },
  };
}

function concerned(budgets: Informer<PodDisruptionBudget>, { now, before }: Change<Pod>): readonly string[] {
  return budgets
    .list((now ?? before)!.metadata!.namespace)
    .filter(({ spec }) => {
      const selector = labelSelectorOf(spec?.selector);
      return [now, before].some((pod) => pod && matches(selector, pod.metadata?.labels));
    })
    .map(keyOf);
}

/** Evictions that were allowed and whose pods are still there, not yet on their way out. */
function stillDisrupted(
  { status }: PodDisruptionBudget,
  selected: readonly Pod[],
  nowMs: number,
): { readonly [pod: string]: string } {
  const live = new Map(selected.filter((pod) => !isDeleting(pod)).map((pod) => [metaOf(pod).name, pod]));
  return Object.fromEntries(
    Object.entries(status?.disruptedPods ?? {}).filter(
      ([name, at]) => live.has(name) && instantOf(at) + FORGET_MS > nowMs,
    ),
  );
}

function statusOf({
  budget,
  selected,
  disrupted,
  expectedPods,
  now,
}: {
  readonly budget: PodDisruptionBudget;
  readonly selected: readonly Pod[];
  readonly disrupted: { readonly [pod: string]: string };
  readonly expectedPods: ExpectedPods;
  readonly now: string;
}): BudgetStatus {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  const needsOwners = maxUnavailable !== undefined || typeof minAvailable === 'string';
  const expected = needsOwners ? expectedPods(selected) : selected.length;
  if (typeof expected === 'string') return failed(budget, expected, now);
  const desired =
    maxUnavailable === undefined
      ? scaledAmount(minAvailable ?? 0, expected, 'up')
      : Math.max(0, expected - scaledAmount(maxUnavailable, expected, 'up'));
  const healthy = selected.filter((pod) => isReady(pod) && !isDeleting(pod) && !(metaOf(pod).name in disrupted)).length;
  const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0;
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed > 0 ? 'True' : 'False',
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    lastTransitionTime: now,
    observedGeneration: budget.metadata?.generation ?? 1,
  };
  return {
    currentHealthy: healthy,
    desiredHealthy: desired,
    disruptionsAllowed: allowed,
    expectedPods: expected,
    observedGeneration: budget.metadata?.generation ?? 1,
    ...(Object.keys(disrupted).length && { disruptedPods: disrupted }),
    conditions: withCondition(budget.status?.conditions ?? [], condition),
  };
}

/** What cannot be counted is not disrupted. */
function failed({ status, metadata }: PodDisruptionBudget, message: string, now: string): BudgetStatus {
  const { currentHealthy = 0, desiredHealthy = 0, expectedPods = 0, conditions = [] } = status ?? {};
  const old = conditionOf(conditions, 'DisruptionAllowed');
  const observedGeneration = metadata?.generation ?? 1;
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'SyncFailed',
    message,
    lastTransitionTime: now,
    observedGeneration,
  };
  const next =
    old?.reason === 'SyncFailed' && old.message === message ? conditions : withCondition(conditions, condition);
  return { currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed: 0, observedGeneration, conditions: next };
}
