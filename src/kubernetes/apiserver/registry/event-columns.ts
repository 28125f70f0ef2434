import type { Event } from '../../types.ts';
import type { Column, Resource } from '../resource.ts';
import { since } from './columns.ts';
import { column } from './row.ts';

/** `kubectl get events`. Source: `printers.go`, "printEvent". */
export const eventColumns: readonly Column<Event>[] = [
  column('Last Seen', (event, now) => since(lastSeen(event), now)),
  column('Type', ({ type }) => type ?? ''),
  column('Reason', ({ reason }) => reason ?? ''),
  column('Object', ({ involvedObject: { kind = '', name = '' } }) => `${kind.toLowerCase()}/${name}`),
  column('Subobject', ({ involvedObject: { fieldPath = '' } }) => fieldPath, { priority: 1 }),
  column('Source', sourceOf, { priority: 1 }),
  column('Message', ({ message }) => (message ?? '').trim()),
  column('First Seen', (event, now) => since(event.firstTimestamp ?? event.eventTime, now), { priority: 1 }),
  column('Count', ({ series, count }) => String(series?.count ?? (count || 1)), { priority: 1 }),
  column('Name', ({ metadata }) => metadata.name ?? '', { priority: 1 }),
];

function lastSeen({ series, lastTimestamp, eventTime, firstTimestamp }: Event): string | undefined {
  return series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp;
}

function sourceOf({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || '';
  const host = source?.host || reportingInstance || '';
  return host ? `${component}, ${host}` : component;
}

export const eventFields: Resource<Event>['selectableFields'] = {
  'involvedObject.kind': ({ involvedObject }) => involvedObject.kind ?? '',
  'involvedObject.namespace': ({ involvedObject }) => involvedObject.namespace ?? '',
  'involvedObject.name': ({ involvedObject }) => involvedObject.name ?? '',
  'involvedObject.uid': ({ involvedObject }) => involvedObject.uid ?? '',
  'involvedObject.apiVersion': ({ involvedObject }) => involvedObject.apiVersion ?? '',
  'involvedObject.resourceVersion': ({ involvedObject }) => involvedObject.resourceVersion ?? '',
  'involvedObject.fieldPath': ({ involvedObject }) => involvedObject.fieldPath ?? '',
  reason: ({ reason }) => reason ?? '',
  reportingComponent: ({ reportingComponent, source }) => reportingComponent || source?.component || '',
  source: ({ source, reportingComponent }) => source?.component || reportingComponent || '',
  type: ({ type }) => type ?? '',
};
