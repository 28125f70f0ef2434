/** Runs controllers against objects in memory, for their tests: time stands still until a test moves it, and `settle` waits until nobody has anything to do. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock, silentLogger, systemRandom, isoSeconds } from '#base';
import { MemoryClient } from '../client/memory-client.ts';
import { MemoryInformers } from '../client/memory-informers.ts';
import { type EventRecorder, eventRecorder } from '../events.ts';
import { apiVersionOf, type KubernetesObject, type ResourceType } from '../object.ts';
import * as resources from '../resources.ts';
import type { Pod } from '../types.ts';
import { type Controller, type ControllerParts, runControllers } from './controller.ts';

export interface Harness extends AsyncDisposable {
  readonly client: MemoryClient;
  readonly informers: MemoryInformers;
  readonly clock: ManualClock;
  readonly parts: ControllerParts;
  /** Waits until no call has changed anything for some turns. */
  settle(): Promise<void>;
  /** Moves time and settles. */
  advance(ms: number): Promise<void>;
  /** `Reason: message` of what was recorded, in order. */
  said(): string[];
  /** Live pods of the namespace, in order of creation. */
  pods(): readonly Pod[];
  /** Does what a kubelet would: makes pods run and become ready. */
  ready(...which: readonly Pod[]): Promise<void>;
  /** Writes a status over the one there is. */
  setStatus<T extends KubernetesObject>(type: ResourceType<T>, object: T, status: object): Promise<T>;
}

/** Starts the controllers that `make` names. */
export function harness(make: (parts: ControllerParts) => readonly Controller[]): Harness {
  const clock = new ManualClock();
  const random = { ...systemRandom, fraction: () => 0.5 };
  const client = new MemoryClient({ clock, random });
  const informers = new MemoryInformers(client);
  const stop = new AbortController();
  const notes: string[] = [];
  const recorder = eventRecorder({ client, clock, random, logger: silentLogger, signal: stop.signal }, 'test');
  const all = Object.values(resources) as readonly ResourceType[];
  const served = {
    all: () => all,
    ofKind: (apiVersion: string, kind: string) =>
      all.find((type) => type.kind === kind && apiVersionOf(type) === apiVersion),
    onChange: () => () => undefined,
  };
  const common = { client, informers, resources: served, clock, random, logger: silentLogger };
  const parts = { ...common, events: listening(recorder, notes) };
  const ended = runControllers(make(parts), parts, stop.signal);
  return {
    client,
    informers,
    clock,
    parts,
    async settle() {
      // Quiet for long enough that the longest chain of awaits between two writes has passed.
      for (let quiet = 0, last = -1; quiet < 30; quiet++) {
        await nextTurn();
        const { version } = client;
        if (version !== last) quiet = 0;
        last = version;
      }
    },
    async advance(ms) {
      clock.advance(ms);
      await this.settle();
    },
    said: () => notes,
    pods: () => client.all(resources.pods).filter(({ metadata }) => !metadata?.deletionTimestamp),
    async ready(...which) {
      const now = isoSeconds(clock.now());
      for (const pod of which)
        await this.setStatus(resources.pods, pod, {
          phase: 'Running',
          conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now }],
        });
      await this.settle();
    },
    async setStatus(type, object, status) {
      const { name, namespace } = object.metadata!;
      const stored = await client.get(type, { name: name!, namespace });
      const next = { ...stored, status: { ...(stored as { status?: object }).status, ...status } };
      return client.update(type, next, { subresource: 'status' });
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

function listening(recorder: EventRecorder, notes: string[]): EventRecorder {
  return {
    record(type, object, note) {
      notes.push(`${note.reason}: ${note.message}`);
      recorder.record(type, object, note);
    },
    as: (component, host) => listening(recorder.as(component, host), notes),
  };
}

/** The recorded events as a client lists them. */
export function eventsOf({
  client,
}: Harness): readonly (readonly [reason: string | undefined, count: number | undefined])[] {
  return client.all(resources.events).map(({ reason, count }) => [reason, count] as const);
}
