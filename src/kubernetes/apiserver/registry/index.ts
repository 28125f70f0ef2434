/** Every built-in resource of v1.34 that is generally available. */
import type { Resource } from '../resource.ts';
import { appsRows } from './apps.ts';
import { autoscalingRows } from './autoscaling.ts';
import { batchRows } from './batch.ts';
import { coreRows } from './core.ts';
import { extensionRows } from './extensions.ts';
import { networkingRows } from './networking.ts';
import { policyRows } from './policies.ts';
import { rbacRows } from './rbac.ts';
import { reviewRows } from './reviews.ts';
import { storageRows } from './storage.ts';

export const builtInRows: readonly Resource[] = [
  ...coreRows,
  ...appsRows,
  ...autoscalingRows,
  ...batchRows,
  ...networkingRows,
  ...policyRows,
  ...rbacRows,
  ...storageRows,
  ...extensionRows,
  ...reviewRows,
];
