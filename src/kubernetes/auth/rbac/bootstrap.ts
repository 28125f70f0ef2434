/**
 * Puts the default roles and bindings in place when a cluster starts: missing objects are created, rules and subjects that were taken from one are put back,
 * what was added stays. An object annotated `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone. Upstream: "Auto-reconciliation".
 */
import type { ApiClient } from '../../client/client.ts';
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { clusterRoleBindings, clusterRoles, namespaces, roleBindings, roles } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { ClusterRole, ClusterRoleBinding } from '../../types.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoleBindings,
  bootstrapRoles,
} from './bootstrap-roles.ts';
import { uncoveredRules } from './rules.ts';

const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';

/** Namespaces every cluster has. */
export const systemNamespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'] as const;

/** Makes the system namespaces and the default roles and bindings so; may be repeated. `client` needs every right. */
export async function bootstrapAccess(client: ApiClient, signal: AbortSignal): Promise<void> {
  await Promise.all(
    systemNamespaces.map((name) =>
      createIfAbsent(client, namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, signal),
    ),
  );
  await reconcileAll(client, clusterRoles, bootstrapClusterRoles, mergeRole, signal);
  await reconcileAll(client, clusterRoleBindings, bootstrapClusterRoleBindings, mergeBinding, signal);
  await reconcileAll(client, roles, bootstrapRoles, mergeRole, signal);
  await reconcileAll(client, roleBindings, bootstrapRoleBindings, mergeBinding, signal);
}

async function createIfAbsent<T extends KubernetesObject>(
  client: ApiClient,
  type: ResourceType<T>,
  object: T,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.create(type, object, { signal });
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  }
}

async function reconcileAll<T extends KubernetesObject>(
  client: ApiClient,
  type: ResourceType<T>,
  wanted: readonly T[],
  merge: (wanted: T, stored: T) => T,
  signal: AbortSignal,
): Promise<void> {
  const { items } = await client.list(type, { signal });
  const stored = new Map(items.map((item) => [keyOf(item), item]));
  const write = async (object: T) => {
    const before = stored.get(keyOf(object));
    if (!before) return createIfAbsent(client, type, object, signal);
    if (before.metadata?.annotations?.[autoUpdate] === 'false') return;
    const next = merge(object, before);
    if (next === before) return;
    // Someone who writes at the same time wins: the next start looks again.
    await client.update(type, next, { signal }).catch((error: unknown) => {
      if (!isStatusError(error, 'Conflict', 'NotFound')) throw error;
    });
  };
  await Promise.all(wanted.map(write));
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name}`;
}

/** The rules of a gathering role are the aggregation controller's. */
function mergeRole<T extends ClusterRole>(wanted: T, stored: T): T {
  const missing = wanted.aggregationRule ? [] : uncoveredRules(stored.rules ?? [], wanted.rules ?? []);
  const hasAggregation = !wanted.aggregationRule || !!stored.aggregationRule;
  const labelled = withLabels(wanted, stored);
  if (missing.length === 0 && hasAggregation) return labelled;
  return {
    ...labelled,
    ...(wanted.aggregationRule && { aggregationRule: stored.aggregationRule ?? wanted.aggregationRule }),
    // Whole rules read better than the parts that are missing of them.
    rules: [
      ...(stored.rules ?? []),
      ...(wanted.rules ?? []).filter((rule) => uncoveredRules(stored.rules ?? [], [rule]).length > 0),
    ],
  };
}

function mergeBinding<T extends ClusterRoleBinding>(wanted: T, stored: T): T {
  const known = new Set((stored.subjects ?? []).map(subjectKey));
  const missing = (wanted.subjects ?? []).filter((subject) => !known.has(subjectKey(subject)));
  const labelled = withLabels(wanted, stored);
  return missing.length === 0 ? labelled : { ...labelled, subjects: [...(stored.subjects ?? []), ...missing] };
}

function subjectKey({ kind, namespace, name }: NonNullable<ClusterRoleBinding['subjects']>[number]): string {
  return `${kind}/${namespace ?? ''}/${name}`;
}

function withLabels<T extends KubernetesObject>({ metadata: wanted }: T, stored: T): T {
  const has = (name: 'labels' | 'annotations') =>
    Object.keys(wanted?.[name] ?? {}).every((key) => stored.metadata?.[name]?.[key] !== undefined);
  if (has('labels') && has('annotations')) return stored;
  return {
    ...stored,
    metadata: {
      ...stored.metadata,
      labels: { ...wanted?.labels, ...stored.metadata?.labels },
      annotations: { ...wanted?.annotations, ...stored.metadata?.annotations },
    },
  };
}
