import type { ReplicationController } from '../../types.ts';
import type { Column, Strategy } from '../resource.ts';
import { age, containerColumns, nameColumn, pairs } from './columns.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { column } from './row.ts';

/** Labels and selector of a controller that names neither are its template's. Source: `core/v1/defaults.go`, "SetDefaults_ReplicationController". */
export const replicationControllerStrategy: Partial<Strategy<ReplicationController>> = {
  hasGeneration: true,
  hasStatus: true,
  default({ metadata, spec }) {
    if (!spec) return;
    spec.replicas ??= 1;
    if (!spec.template) return;
    defaultPodTemplate(spec.template);
    const labels = spec.template.metadata?.labels;
    if (!labels) return;
    if (!Object.keys(spec.selector ?? {}).length) spec.selector = { ...labels };
    if (metadata && !Object.keys(metadata.labels ?? {}).length) metadata.labels = { ...labels };
  },
  prepareForCreate(controller) {
    controller.status = { replicas: 0 };
  },
};

export const replicationControllerColumns: readonly Column<ReplicationController>[] = [
  nameColumn,
  column('Desired', ({ spec }) => spec?.replicas ?? 0, { type: 'integer' }),
  column('Current', ({ status }) => status?.replicas ?? 0, { type: 'integer' }),
  column('Ready', ({ status }) => status?.readyReplicas ?? 0, { type: 'integer' }),
  age,
  ...containerColumns<ReplicationController>(({ spec }) => spec?.template?.spec?.containers ?? []),
  column('Selector', ({ spec }) => pairs(spec?.selector), { priority: 1 }),
];
