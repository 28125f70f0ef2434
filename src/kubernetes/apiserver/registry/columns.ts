/** Columns that many kinds share, and how `kubectl get` writes durations. Source: `pkg/printers/internalversion/printers.go`, apimachinery `duration.HumanDuration`. */
import type { KubernetesObject } from '../../object.ts';
import type { Column } from '../resource.ts';

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
  value: ({ metadata }) => metadata?.name ?? '',
};

export const age: Column = {
  name: 'Age',
  type: 'string',
  description: 'CreationTimestamp is a timestamp representing the server time when this object was created.',
  priority: 0,
  value: ({ metadata }, now) => since(metadata?.creationTimestamp, now),
};

/** `<unknown>` when there is no instant. */
export function since(instant: string | undefined, now: number): string {
  if (!instant) return '<unknown>';
  return humanDuration(now - Date.parse(instant));
}

/** `45s`, `3m12s`, `5h10m`, `2d3h`, `400d`. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return pair(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.trunc(days / 365);
  if (days < 2920) return pair(years, 'y', days % 365, 'd');
  return `${years}y`;
}

function pair(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small ? `${big}${bigUnit}${small}${smallUnit}` : `${big}${bigUnit}`;
}

/** `a=b,c=d`, `<none>`. */
export function pairs(map: { readonly [key: string]: string } | undefined): string {
  const entries = Object.entries(map ?? {});
  return entries.length
    ? entries
        .map(([key, value]) => `${key}=${value}`)
        .toSorted()
        .join(',')
    : '<none>';
}

export function list(values: readonly (string | undefined)[]): string {
  return values.length ? values.join(',') : '<none>';
}

/** Containers and images of a pod template: the wide columns of workloads. */
export function containerColumns<T extends KubernetesObject>(
  containersOf: (object: T) => readonly { readonly name: string; readonly image?: string }[],
): readonly Column<T>[] {
  return [
    {
      name: 'Containers',
      type: 'string',
      description: 'Names of each container in the template.',
      priority: 1,
      value: (object) =>
        containersOf(object)
          .map(({ name }) => name)
          .join(','),
    },
    {
      name: 'Images',
      type: 'string',
      description: 'Images referenced by each container in the template.',
      priority: 1,
      value: (object) =>
        containersOf(object)
          .map(({ image = '' }) => image)
          .join(','),
    },
  ];
}
