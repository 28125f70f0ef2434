/** One step through the ordinals of a stateful set. Behaviour: kubernetes `pkg/controller/statefulset/stateful_set_control.go`, "updateStatefulSet". */
import { messageOf } from '#base';
import type { Informer } from '../../client/informer.ts';
import { pods, statefulSets } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet } from '../../types.ts';
import type { ControllerParts, Step } from '../controller.ts';
import { REVISION_HASH, templateOf } from '../history/history.ts';
import { isDeleting, metaOf, nameOf } from '../meta.ts';
import { isAvailable, isFinished, isReady, podOf } from '../pods.ts';
import { type ClaimsOptions, ensureClaims, retainClaims } from './claims.ts';
import { hasIdentity, ordinalOf, POD_INDEX, POD_NAME, podName, withIdentity } from './identity.ts';
import { revisionOf } from './status.ts';

export interface OrdinalsInput {
  readonly parts: ControllerParts;
  readonly step: Step;
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
}

/** Whether the walk goes on to the next ordinal, or waits for this one. */
type Walk = 'on' | 'wait';

export class Ordinals {
  readonly #input: OrdinalsInput;
  readonly #claimsOptions: ClaimsOptions;
  readonly #first: number;
  readonly #end: number;
  readonly #byOrdinal = new Map<number, Pod>();
  readonly #condemned: readonly Pod[];
  readonly #isOrdered: boolean;

  constructor(input: OrdinalsInput) {
    const { set, pods, step, claims } = input;
    this.#input = input;
    this.#claimsOptions = { claims, step, tell: (type, reason, message) => this.#tell(type, reason, message) };
    this.#first = set.spec?.ordinals?.start ?? 0;
    this.#end = this.#first + (set.spec?.replicas ?? 1);
    this.#isOrdered = set.spec?.podManagementPolicy !== 'Parallel';
    const condemned: [number, Pod][] = [];
    for (const pod of pods) {
      const ordinal = ordinalOf(set, pod);
      if (ordinal === undefined) continue;
      if (ordinal >= this.#first && ordinal < this.#end) this.#byOrdinal.set(ordinal, pod);
      else condemned.push([ordinal, pod]);
    }
    this.#condemned = condemned.sort(([a], [b]) => b - a).map(([, pod]) => pod);
  }

  /** Makes, then takes away, then updates; an ordered set does one thing at a time. */
  async advance(): Promise<void> {
    // In parallel, one that cannot be made does not keep the others from being made.
    let failure: unknown;
    for (let ordinal = this.#first; ordinal < this.#end; ordinal++)
      try {
        if ((await this.#ensure(ordinal)) === 'wait') return;
      } catch (error) {
        if (this.#isOrdered) throw error;
        failure ??= error;
      }
    if (failure !== undefined) throw failure;
    for (const pod of this.#condemned) if ((await this.#remove(pod)) === 'wait') return;
    const { updateStrategy } = this.#input.set.spec!;
    if (updateStrategy?.type !== 'OnDelete') await this.#roll(updateStrategy?.rollingUpdate?.partition ?? 0);
  }

  async #ensure(ordinal: number): Promise<Walk> {
    const { set } = this.#input;
    const pod = this.#byOrdinal.get(ordinal);
    const options = this.#claimsOptions;
    if (!pod) {
      await ensureClaims(set, ordinal, options);
      await this.#create(ordinal);
      return this.#isOrdered ? 'wait' : 'on';
    }
    if (isFinished(pod)) {
      if (!isDeleting(pod)) await this.#recreate(pod);
      return this.#isOrdered ? 'wait' : 'on';
    }
    if (isDeleting(pod)) return this.#isOrdered ? 'wait' : 'on';
    // Its claims may have gone while it waits for a place.
    if (pod.status?.phase === 'Pending') await ensureClaims(set, ordinal, options);
    if (!hasIdentity(set, pod, ordinal)) await this.#relabel(pod, ordinal);
    await retainClaims(set, { ordinal, condemned: undefined }, options);
    return this.#isOrdered && !this.#isHealthy(pod) ? 'wait' : 'on';
  }

  #isHealthy(pod: Pod): boolean {
    const { set, parts } = this.#input;
    const isRunning = pod.status?.phase === 'Running' && isReady(pod) && !isDeleting(pod);
    return isRunning && isAvailable(pod, set.spec?.minReadySeconds ?? 0, parts.clock.now());
  }

  async #remove(pod: Pod): Promise<Walk> {
    if (isDeleting(pod)) return this.#isOrdered ? 'wait' : 'on';
    const ordinal = ordinalOf(this.#input.set, pod)!;
    await retainClaims(this.#input.set, { ordinal, condemned: pod }, this.#claimsOptions);
    await this.#delete(pod);
    return this.#isOrdered ? 'wait' : 'on';
  }

  /** From the highest ordinal down to the partition: the first pod of an old revision goes, one that is not healthy is waited for. */
  async #roll(partition: number): Promise<void> {
    const { update } = this.#input;
    for (let ordinal = this.#end - 1; ordinal >= Math.max(partition, this.#first); ordinal--) {
      const pod = this.#byOrdinal.get(ordinal);
      if (!pod) continue;
      if (revisionOf(pod) !== metaOf(update).name && !isDeleting(pod)) return this.#delete(pod);
      if (!this.#isHealthy(pod)) return undefined;
    }
    return undefined;
  }

  /** What is not yet reached by a rolling update is made anew as it was. */
  #revisionFor(ordinal: number): ControllerRevision {
    const { set, current, update } = this.#input;
    const { type = 'RollingUpdate', rollingUpdate } = set.spec?.updateStrategy ?? {};
    if (type !== 'RollingUpdate') return update;
    const isReached = rollingUpdate
      ? ordinal >= (rollingUpdate.partition ?? 0)
      : ordinal >= this.#first + (set.status?.currentReplicas ?? 0);
    const isBehind = rollingUpdate?.partition ? !isReached : !isReached && current !== update;
    return isBehind ? current : update;
  }

  async #create(ordinal: number): Promise<void> {
    const { set, step } = this.#input;
    const revision = this.#revisionFor(ordinal);
    const draft = withIdentity(set, podOf(templateOf(revision), statefulSets, set), ordinal);
    const labels = { ...draft.metadata?.labels, [REVISION_HASH]: metaOf(revision).name };
    const subject = `Pod ${podName(set, ordinal)} in StatefulSet ${metaOf(set).name}`;
    try {
      await step.api.create(pods, { ...draft, metadata: { ...draft.metadata, labels } });
      this.#tell('Normal', 'SuccessfulCreate', `create ${subject} successful`);
    } catch (error) {
      this.#tell('Warning', 'FailedCreate', `create ${subject} failed error: ${messageOf(error)}`);
      throw error;
    }
  }

  async #recreate(pod: Pod): Promise<void> {
    const { namespace, name } = metaOf(pod);
    const word = pod.status?.phase === 'Failed' ? 'Failed' : 'Succeeded';
    const message = `StatefulSet ${namespace}/${metaOf(this.#input.set).name} is recreating ${word === 'Failed' ? 'failed' : 'terminated'} Pod ${name}`;
    this.#tell(
      word === 'Failed' ? 'Warning' : 'Normal',
      `Recreating${word === 'Failed' ? 'Failed' : 'Terminated'}Pod`,
      message,
    );
    await this.#delete(pod);
  }

  async #relabel(pod: Pod, ordinal: number): Promise<void> {
    const labels = { [POD_NAME]: podName(this.#input.set, ordinal), [POD_INDEX]: String(ordinal) };
    await this.#input.step.api.patch(pods, nameOf(pod), { kind: 'merge', body: { metadata: { labels } } });
  }

  async #delete(pod: Pod): Promise<void> {
    const { set, step } = this.#input;
    const { name, uid } = metaOf(pod);
    const subject = `Pod ${name} in StatefulSet ${metaOf(set).name}`;
    try {
      await step.api.delete(pods, nameOf(pod), { preconditions: { uid } });
      this.#tell('Normal', 'SuccessfulDelete', `delete ${subject} successful`);
    } catch (error) {
      if (isStatusError(error, 'NotFound')) return;
      this.#tell('Warning', 'FailedDelete', `delete ${subject} failed error: ${messageOf(error)}`);
      throw error;
    }
  }

  #tell(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { parts, set } = this.#input;
    parts.events.as('statefulset-controller').record(statefulSets, set, { type, reason, message });
  }
}
