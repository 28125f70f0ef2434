/** Events are stored as the core group has them, and spoken as `events.k8s.io/v1` too: the same object under other names. */
import type { KubernetesObject } from '../../object.ts';
import type { ServedVersion } from '../resource.ts';

/** What core calls it, and what `events.k8s.io` does. */
const names: readonly (readonly [string, string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

function renamed(object: KubernetesObject, apiVersion: string, map: ReadonlyMap<string, string>): KubernetesObject {
  const entries = Object.entries(object).map(([key, value]) => [map.get(key) ?? key, value]);
  return { ...Object.fromEntries(entries), apiVersion };
}

const toEvents = new Map(names);
const toCore = new Map(names.map(([core, events]) => [events, core]));

export const eventsGroupVersion: ServedVersion = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  fromStored: (object) => renamed(object, 'events.k8s.io/v1', toEvents),
  toStored: (object) => {
    const event = renamed(object, 'v1', toCore);
    // The core form requires the member, if only as nothing.
    return 'involvedObject' in event ? event : { ...event, involvedObject: {} };
  },
};
