import { isArn, parseArn, type Arn } from '#base';
import { AwsError } from '../errors.ts';

/** Whose, where. A `CallContext` is one. */
export interface Scope {
  readonly account: string;
  readonly region: string;
}

/** A cluster, as tasks and services are found below it. */
export interface ClusterScope extends Scope {
  readonly cluster: string;
}

function arn({ account, region }: Scope, resource: string): Arn {
  return `arn:aws:ecs:${region}:${account}:${resource}` as Arn;
}

export const clusterArn = (scope: Scope, name: string) => arn(scope, `cluster/${name}`);
export const taskArn = (scope: ClusterScope, id: string) => arn(scope, `task/${scope.cluster}/${id}`);
export const serviceArn = (scope: ClusterScope, name: string) => arn(scope, `service/${scope.cluster}/${name}`);
export const containerArn = (scope: ClusterScope, taskId: string, id: string) =>
  arn(scope, `container/${scope.cluster}/${taskId}/${id}`);
export const taskDefinitionArn = (scope: Scope, family: string, revision: number) =>
  arn(scope, `task-definition/${family}:${revision}`);

/** Record id below `ecs/<kind>/`; `name` may be empty for the prefix of a whole cluster. */
export function idIn({ account, region, cluster }: ClusterScope, name: string): string {
  return `${account}/${region}/${cluster}/${name}`;
}

/** The name at the end of a short name or of any ARN of ECS, `prod` of `arn:…:cluster/prod`. */
export function shortName(nameOrArn: string): string {
  return nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
}

/** The task an ARN names; throws `InvalidParameterException` when it names none. */
export function parseTaskArn(text: string): ClusterScope & { readonly id: string } {
  const { service, region, account, resource } = isArn(text) ? parseArn(text) : parseArn('arn:aws:ecs::::');
  const [kind, cluster, id, rest] = resource.split('/');
  if (service !== 'ecs' || kind !== 'task' || !cluster || !id || rest !== undefined)
    throw new AwsError('InvalidParameterException', `"${text}" is not the ARN of a task.`);
  return { account, region, cluster, id };
}

/** What a request names as task definition: `family`, `family:revision` or the ARN. */
export function parseTaskDefinition(text: string): { readonly family: string; readonly revision: number | undefined } {
  const match = /^([A-Za-z0-9_-]{1,255})(?::(\d{1,9}))?$/.exec(shortName(text));
  if (!match) throw new AwsError('InvalidParameterException', `Invalid task definition identifier: ${text}`);
  return { family: match[1]!, revision: match[2] === undefined ? undefined : Number(match[2]) };
}

export const invalidParameter = (message: string) => new AwsError('InvalidParameterException', message);
export const clientException = (message: string) => new AwsError('ClientException', message);
/** For what the model has and we do not: refused, never accepted and ignored. */
export const notSupported = (what: string) =>
  new AwsError('UnsupportedOperation', `${what} is not supported by dabba yet.`, { status: 501 });
