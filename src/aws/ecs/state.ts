import type { Clock, Logger, Random } from '#base';
import type { NodeRecords } from '#node';
import { Collection, type Store } from '#store';
import type { VpcNetwork } from '../ec2/index.ts';
import type { AccountSettingRecord } from './account-settings.ts';
import type { NodeUse } from './node-use.ts';
import type { ClusterRecord, ServiceRecord, TaskDefinitionRecord, TaskRecord } from './records.ts';
import type { TaskGroups } from './task-groups.ts';

/** What every operation and reconciler of the service needs. Every id has the account as a whole segment. */
export interface EcsState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly network: VpcNetwork;
  readonly nodes: NodeRecords;
  readonly clusters: Collection<ClusterRecord>;
  readonly accountSettings: Collection<AccountSettingRecord>;
  /** `<account>/<region>/<family>`: the revision registered last. */
  readonly families: Collection<{ readonly lastRevision: number }>;
  readonly taskDefinitions: Collection<TaskDefinitionRecord>;
  readonly tasks: Collection<TaskRecord>;
  readonly taskGroups: TaskGroups;
  readonly nodeUse: NodeUse;
  readonly services: Collection<ServiceRecord>;
  /** Tasks that wait for a place, under their own ids. */
  readonly unplaced: Collection<{ readonly since: number }>;
  /** `<account>/<sandbox id>`: the task that a node's sandbox is. */
  readonly sandboxes: Collection<{ readonly taskKey: string }>;
}

export const UNPLACED_PREFIX = 'ecs/unplaced/';
export const TASKS_PREFIX = 'ecs/tasks/';
export const SERVICES_PREFIX = 'ecs/services/';

export function ecsCollections(store: Store) {
  return {
    clusters: new Collection<ClusterRecord>(store, 'ecs/clusters/'),
    accountSettings: new Collection<AccountSettingRecord>(store, 'ecs/account-settings/'),
    families: new Collection<{ readonly lastRevision: number }>(store, 'ecs/families/'),
    taskDefinitions: new Collection<TaskDefinitionRecord>(store, 'ecs/task-definitions/'),
    tasks: new Collection<TaskRecord>(store, TASKS_PREFIX),
    services: new Collection<ServiceRecord>(store, SERVICES_PREFIX),
    unplaced: new Collection<{ readonly since: number }>(store, UNPLACED_PREFIX),
    sandboxes: new Collection<{ readonly taskKey: string }>(store, 'ecs/sandboxes/'),
  };
}
