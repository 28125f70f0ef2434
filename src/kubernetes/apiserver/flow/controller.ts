/** Brings back the flow schemas and levels that must not be missing, and says of every schema whether there is the level that it names. Upstream: `util/flowcontrol/apf_controller.go`. */
import { type Controller, type ControllerParts, copyOf, wakes } from '../../controllers/controller.ts';
import { timestampOf } from '../../controllers/meta.ts';
import type { ApiClient } from '../../client/client.ts';
import type { KubernetesObject } from '../../object.ts';
import { flowSchemas, priorityLevels } from '../../resources.ts';
import type { FlowSchema } from '../../types.ts';
import { catchAllLevel, catchAllSchema, exemptLevel, exemptSchema } from './defaults.ts';

const mandatory = new Map<string, (api: ApiClient) => Promise<unknown>>([
  ...[exemptLevel, catchAllLevel].map(
    (level) => [levelKey(level), (api: ApiClient) => api.create(priorityLevels, level)] as const,
  ),
  ...[exemptSchema, catchAllSchema].map(
    (schema) => [schemaKey(schema), (api: ApiClient) => api.create(flowSchemas, schema)] as const,
  ),
]);

export function flowControlController({ informers, clock }: Pick<ControllerParts, 'informers' | 'clock'>): Controller {
  const schemas = informers.of(flowSchemas);
  const levels = informers.of(priorityLevels);
  const referring = (name: string) => schemas.list().filter((schema) => levelOf(schema) === name);
  return {
    name: 'priority-and-fairness',
    wokenBy: [
      wakes(schemas, ({ now, before }) => [schemaKey((now ?? before)!)]),
      wakes(levels, ({ now, before }) => {
        const level = (now ?? before)!;
        return [levelKey(level), ...referring(level.metadata!.name!).map(schemaKey)];
      }),
    ],
    reads: [copyOf(flowSchemas, schemas), copyOf(priorityLevels, levels)],
    async reconcile(key, step) {
      const [kind, name = ''] = key.split('/');
      const stored = kind === 'level' ? levels.get(name) : schemas.get(name);
      if (!stored) await mandatory.get(key)?.(step.api);
      if (!stored || kind === 'level') return;
      const schema = schemas.get(name)!;
      const condition = dangling(schema, levels.get(levelOf(schema)) !== undefined);
      const { conditions = [] } = schema.status ?? {};
      if (conditions.some(({ type, status }) => type === condition.type && status === condition.status)) return;
      const others = conditions.filter(({ type }) => type !== condition.type);
      const status = { conditions: [...others, { ...condition, lastTransitionTime: timestampOf(clock) }] };
      await step.api.update(flowSchemas, { ...schema, status }, { subresource: 'status', signal: step.signal });
    },
  };
}

function dangling(schema: FlowSchema, isFound: boolean) {
  const reference = `This FlowSchema references the PriorityLevelConfiguration object named "${levelOf(schema)}"`;
  return isFound
    ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${reference} and it exists` }
    : { type: 'Dangling', status: 'True', reason: 'NotFound', message: `${reference} but there is no such object` };
}

function levelOf({ spec }: FlowSchema): string {
  return spec?.priorityLevelConfiguration.name ?? '';
}

function levelKey({ metadata }: KubernetesObject): string {
  return `level/${metadata!.name}`;
}

function schemaKey({ metadata }: KubernetesObject): string {
  return `schema/${metadata!.name}`;
}
