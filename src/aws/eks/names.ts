import { formatArn, parseArn, type Arn } from '#base';
import { AwsError } from '../errors.ts';

/** Whose, where. A `CallContext` is one. */
export interface Scope {
  readonly account: string;
  readonly region: string;
}

/** A cluster, as everything that belongs to one is found below it. */
export interface ClusterScope extends Scope {
  readonly cluster: string;
}

function arn(scope: Scope, resource: string): Arn {
  return formatArn({ service: 'eks', region: scope.region, account: scope.account, resource });
}

export const clusterArn = (scope: Scope, name: string) => arn(scope, `cluster/${name}`);
export const nodegroupArn = (scope: ClusterScope, name: string, id: string) =>
  arn(scope, `nodegroup/${scope.cluster}/${name}/${id}`);
export const fargateProfileArn = (scope: ClusterScope, name: string, id: string) =>
  arn(scope, `fargateprofile/${scope.cluster}/${name}/${id}`);
export const addonArn = (scope: ClusterScope, name: string, id: string) =>
  arn(scope, `addon/${scope.cluster}/${name}/${id}`);
export const podIdentityArn = (scope: ClusterScope, id: string) =>
  arn(scope, `podidentityassociation/${scope.cluster}/${id}`);

/** `arn:…:access-entry/<cluster>/<role or user>/<account>/<name>/<id>`. */
export function accessEntryArn(scope: ClusterScope, principalArn: string, id: string): Arn {
  const { account, resource } = parseArn(principalArn);
  return arn(
    scope,
    `access-entry/${scope.cluster}/${resource.split('/')[0]}/${account}/${resource.split('/').at(-1)}/${id}`,
  );
}

/** Record id below `eks/clusters/`; with an empty name the prefix of a whole scope. */
export function clusterId({ account, region }: Scope, name: string): string {
  return `${account}/${region}/${name}`;
}

/** Record id of what belongs to a cluster; `name` may be empty for the prefix of all of it. */
export function idIn(scope: ClusterScope, name: string): string {
  return `${clusterId(scope, scope.cluster)}/${name}`;
}

/** Reads back `<account>/<region>/<cluster>[/…]`. */
export function scopeOfId(id: string): ClusterScope {
  const [account = '', region = '', cluster = ''] = id.split('/');
  return { account, region, cluster };
}

export const notFound = (message: string) => new AwsError('ResourceNotFoundException', message);
export const inUse = (message: string) => new AwsError('ResourceInUseException', message);
export const invalidParameter = (message: string) => new AwsError('InvalidParameterException', message);
export const invalidRequest = (message: string) => new AwsError('InvalidRequestException', message);
/** For what the model has and we do not: refused, never accepted and ignored. */
export const notSupported = (what: string) =>
  new AwsError('UnsupportedOperation', `${what} is not supported by dabba yet.`, { status: 501 });
