/** The rows of `apps`. Defaults: `pkg/apis/apps/v1/defaults.go`; columns: `printers.go`. */
import { formatLabelSelector, labelSelectorOf } from '../../selector.ts';
import type { KubernetesObject } from '../../object.ts';
import type * as types from '../../types.ts';
import type { Draft } from '../draft.ts';
import type { Column, Resource } from '../resource.ts';
import { age, containerColumns, nameColumn } from './columns.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { column, row } from './row.ts';
import { scaleOfReplicas } from './scale.ts';

const all = ['all'];
const controlled = { hasGeneration: true, hasStatus: true };
const scale = scaleOfReplicas({ hasLabelSelector: true });

interface Workload extends KubernetesObject {
  readonly spec?: {
    readonly selector?: types.LabelSelector;
    readonly template?: types.PodTemplateSpec;
  };
}

function templateColumns<T extends Workload>(): readonly Column<T>[] {
  return [...containerColumns<T>(({ spec }) => spec?.template?.spec?.containers ?? []), selectorColumn<T>()];
}

function selectorColumn<T extends Workload>(): Column<T> {
  return column<T>('Selector', ({ spec }) => formatLabelSelector(labelSelectorOf(spec?.selector)), { priority: 1 });
}

const integer = { type: 'integer' } as const;

export const appsRows: readonly Resource[] = [
  row<types.Deployment>('apps', 'Deployment', 'deployments', {
    shortNames: ['deploy'],
    categories: all,
    strategy: { ...controlled, default: defaultDeployment },
    subresources: { scale },
    columns: [
      nameColumn,
      column('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
      column('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0, integer),
      column('Available', ({ status }) => status?.availableReplicas ?? 0, integer),
      age,
      ...templateColumns<types.Deployment>(),
    ],
  }),
  row<types.ReplicaSet>('apps', 'ReplicaSet', 'replicasets', {
    shortNames: ['rs'],
    categories: all,
    strategy: {
      ...controlled,
      default({ spec }) {
        if (!spec) return;
        spec.replicas ??= 1;
        if (spec.template) defaultPodTemplate(spec.template);
      },
      prepareForCreate: (set) => void (set.status = { replicas: 0 }),
    },
    subresources: { scale },
    selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
    columns: [
      nameColumn,
      column('Desired', ({ spec }) => spec?.replicas ?? 0, integer),
      column('Current', ({ status }) => status?.replicas ?? 0, integer),
      column('Ready', ({ status }) => status?.readyReplicas ?? 0, integer),
      age,
      ...templateColumns<types.ReplicaSet>(),
    ],
  }),
  row<types.StatefulSet>('apps', 'StatefulSet', 'statefulsets', {
    shortNames: ['sts'],
    categories: all,
    strategy: {
      ...controlled,
      default: defaultStatefulSet,
      prepareForCreate(set) {
        set.status = { replicas: 0, availableReplicas: 0 };
        leaveOutMaxUnavailable(set);
      },
      prepareForUpdate: leaveOutMaxUnavailable,
    },
    subresources: { scale },
    columns: [
      nameColumn,
      column('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
      age,
      ...containerColumns<types.StatefulSet>(({ spec }) => spec?.template?.spec?.containers ?? []),
    ],
  }),
  row<types.DaemonSet>('apps', 'DaemonSet', 'daemonsets', {
    shortNames: ['ds'],
    categories: all,
    strategy: {
      ...controlled,
      default: defaultDaemonSet,
      prepareForCreate(set) {
        set.status = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };
      },
    },
    columns: [
      nameColumn,
      column('Desired', ({ status }) => status?.desiredNumberScheduled ?? 0, integer),
      column('Current', ({ status }) => status?.currentNumberScheduled ?? 0, integer),
      column('Ready', ({ status }) => status?.numberReady ?? 0, integer),
      column('Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0, integer),
      column('Available', ({ status }) => status?.numberAvailable ?? 0, integer),
      column('Node Selector', ({ spec }) => selectorText(spec?.template.spec?.nodeSelector)),
      age,
      ...templateColumns<types.DaemonSet>(),
    ],
  }),
  row<types.ControllerRevision>('apps', 'ControllerRevision', 'controllerrevisions', {
    columns: [
      nameColumn,
      column('Controller', ({ metadata }) => {
        const owner = metadata?.ownerReferences?.find(({ controller }) => controller);
        if (!owner) return '<none>';
        const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
        return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
      }),
      column('Revision', ({ revision }) => revision, integer),
      age,
    ],
  }),
];

function selectorText(selector: { readonly [label: string]: string } | undefined): string {
  const pairs = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.toSorted().join(',') || '<none>';
}

function defaultDeployment({ spec }: Draft<types.Deployment>): void {
  if (!spec) return;
  spec.replicas ??= 1;
  const strategy = (spec.strategy ??= {});
  strategy.type ||= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.maxUnavailable ??= '25%';
    rolling.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  if (spec.template) defaultPodTemplate(spec.template);
}

function defaultStatefulSet({ spec }: Draft<types.StatefulSet>): void {
  if (!spec) return;
  spec.podManagementPolicy ||= 'OrderedReady';
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ||= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.partition ??= 0;
  }
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
  retention.whenDeleted ||= 'Retain';
  retention.whenScaled ||= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  if (spec.template) defaultPodTemplate(spec.template);
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.kind ??= 'PersistentVolumeClaim';
    claim.apiVersion ??= 'v1';
    if (claim.spec) claim.spec.volumeMode ??= 'Filesystem';
    claim.status ??= { phase: 'Pending' };
  }
}

/** `maxUnavailable` of a StatefulSet is an alpha field of 1.34 (`MaxUnavailableStatefulSet`): what nobody looks at is not kept either. */
function leaveOutMaxUnavailable({ spec }: Draft<types.StatefulSet>): void {
  delete spec?.updateStrategy?.rollingUpdate?.maxUnavailable;
}

function defaultDaemonSet({ spec }: Draft<types.DaemonSet>): void {
  if (!spec) return;
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ||= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.maxUnavailable ??= 1;
    rolling.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  if (spec.template) defaultPodTemplate(spec.template);
}
