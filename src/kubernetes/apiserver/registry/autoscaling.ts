/** `autoscaling`: stored as v2, spoken as v1 too. Source: `pkg/apis/autoscaling/{v1,v2}`. */
import type { KubernetesObject } from '../../object.ts';
import type * as types from '../../types.ts';
import { type Draft, draftOf } from '../draft.ts';
import type { Resource } from '../resource.ts';
import { age, nameColumn } from './columns.ts';
import { column, row } from './row.ts';

type Autoscaler = types.HorizontalPodAutoscaler;
type Metric = NonNullable<NonNullable<Autoscaler['spec']>['metrics']>[number];
type CurrentMetric = NonNullable<NonNullable<Autoscaler['status']>['currentMetrics']>[number];

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';

export const autoscalingRows: readonly Resource[] = [
  row<Autoscaler>('autoscaling', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', {
    version: 'v2',
    shortNames: ['hpa'],
    categories: ['all'],
    versions: [
      { group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler' },
      { group: 'autoscaling', version: 'v1', kind: 'HorizontalPodAutoscaler', fromStored: toV1, toStored: fromV1 },
    ],
    strategy: {
      hasStatus: true,
      default({ spec }) {
        if (!spec) return;
        spec.minReplicas ??= 1;
        if (!spec.metrics?.length)
          spec.metrics = [
            { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
          ];
      },
      prepareForCreate(autoscaler) {
        autoscaler.status = { desiredReplicas: 0, currentMetrics: [] };
      },
    },
    columns: [
      nameColumn,
      column('Reference', ({ spec }) => `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}`),
      column('Targets', ({ spec, status }) => targets(spec?.metrics ?? [], status?.currentMetrics ?? [])),
      column('MinPods', ({ spec }) => String(spec?.minReplicas ?? '<unset>')),
      column('MaxPods', ({ spec }) => spec?.maxReplicas ?? 0, { type: 'integer' }),
      column('Replicas', ({ status }) => status?.currentReplicas ?? 0, { type: 'integer' }),
      age,
    ],
  }),
];

function targets(metrics: readonly Metric[], current: readonly CurrentMetric[]): string {
  if (!metrics.length) return '<none>';
  const shown = metrics.slice(0, 2).map((metric, index) => targetOf(metric, current[index]));
  return metrics.length > 2 ? `${shown.join(', ')} + ${metrics.length - 2} more...` : shown.join(', ');
}

function targetOf(metric: Metric, now: CurrentMetric | undefined): string {
  const source = metric.resource ?? metric.containerResource ?? metric.pods ?? metric.object ?? metric.external;
  const current = now?.resource ?? now?.containerResource ?? now?.pods ?? now?.object ?? now?.external;
  const name = metric.resource?.name ?? metric.containerResource?.name;
  const label = name ? `${name}: ` : '';
  const { averageUtilization, averageValue, value } = source?.target ?? {};
  if (averageUtilization !== undefined) {
    const is = current?.current.averageUtilization;
    return `${label}${is === undefined ? '<unknown>' : `${is}%`}/${averageUtilization}%`;
  }
  if (averageValue !== undefined)
    return `${label}${current?.current.averageValue ?? '<unknown>'}/${averageValue}${name ? '' : ' (avg)'}`;
  return `${label}${current?.current.value ?? '<unknown>'}/${value ?? '<auto>'}`;
}

interface V1 extends KubernetesObject {
  spec?: {
    scaleTargetRef: Draft<NonNullable<Autoscaler['spec']>>['scaleTargetRef'];
    minReplicas?: number;
    maxReplicas: number;
    targetCPUUtilizationPercentage?: number;
  };
  status?: {
    currentReplicas: number;
    desiredReplicas: number;
    lastScaleTime?: string;
    observedGeneration?: number;
    currentCPUUtilizationPercentage?: number;
  };
}

function isCpuUtilization({ type, resource }: Metric): boolean {
  return type === 'Resource' && resource?.name === 'cpu' && resource.target.averageUtilization !== undefined;
}

/** What v1 cannot say goes into an annotation, so that it comes back. */
function toV1(object: KubernetesObject): KubernetesObject {
  const { metadata = {}, spec, status } = object as Autoscaler;
  const cpu = spec?.metrics?.find(isCpuUtilization);
  const others = spec?.metrics?.filter((metric) => metric !== cpu) ?? [];
  const currentCpu = status?.currentMetrics?.find(({ resource }) => resource?.name === 'cpu')?.resource?.current
    .averageUtilization;
  const v1: V1 = {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      ...metadata,
      ...(others.length && { annotations: { ...metadata.annotations, [metricsAnnotation]: JSON.stringify(others) } }),
    },
    ...(spec && {
      spec: {
        scaleTargetRef: spec.scaleTargetRef,
        ...(spec.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
        maxReplicas: spec.maxReplicas,
        ...(cpu && { targetCPUUtilizationPercentage: cpu.resource!.target.averageUtilization! }),
      },
    }),
    status: {
      currentReplicas: status?.currentReplicas ?? 0,
      desiredReplicas: status?.desiredReplicas ?? 0,
      ...(status?.lastScaleTime && { lastScaleTime: status.lastScaleTime }),
      ...(status?.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      ...(currentCpu !== undefined && { currentCPUUtilizationPercentage: currentCpu }),
    },
  };
  return v1;
}

function fromV1(object: KubernetesObject): KubernetesObject {
  const { metadata, spec, status } = draftOf(object) as Draft<V1>;
  const others = readMetrics(metadata?.annotations?.[metricsAnnotation]);
  if (metadata?.annotations) delete metadata.annotations[metricsAnnotation];
  const { targetCPUUtilizationPercentage: cpu, ...rest } = spec ?? {};
  const metrics: Metric[] = [
    ...(cpu === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpu } } }]),
    ...others,
  ];
  const { currentCPUUtilizationPercentage: _current, ...state } = status ?? {};
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    ...(metadata && { metadata }),
    ...(spec && { spec: { ...rest, ...(metrics.length && { metrics }) } }),
    ...(status && { status: { currentMetrics: null, conditions: null, ...state } }),
  };
}

function readMetrics(text: string | undefined): readonly Metric[] {
  if (!text) return [];
  try {
    const read: unknown = JSON.parse(text);
    // Validation looks at what is inside.
    return Array.isArray(read) ? (read as Metric[]) : [];
  } catch (error) {
    // Upstream ignores an annotation it cannot read, too.
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
