/** The subresource `serviceaccounts/token`: what `kubectl create token` and kubelets ask. Upstream: `registry/core/serviceaccount/storage/token.go`. */
import { isoSeconds } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { ObjectName, ResourceType } from '../object.ts';
import { nodes, pods, secrets, serviceAccounts } from '../resources.ts';
import { invalid, StatusError, type FieldError } from '../status.ts';
import type { Pod, TokenRequest } from '../types.ts';
import type { BoundObject, ServiceAccountTokens, TokenClaims } from './service-account-tokens.ts';

const minSeconds = 600;
const maxSeconds = 2 ** 32;
const defaultSeconds = 3600;

export interface TokenRequestParts {
  readonly client: Pick<ApiClient, 'get'>;
  readonly tokens: ServiceAccountTokens;
}

/**
 * Issues a token for the service account and answers the request with its status filled. Throws `NotFound` when the account or what the token is to be bound
 * to does not exist, `Invalid` and `Conflict` as upstream does.
 */
export async function requestToken(
  { client, tokens }: TokenRequestParts,
  account: ObjectName & { readonly namespace: string },
  request: TokenRequest,
): Promise<TokenRequest> {
  const { metadata } = await client.get(serviceAccounts, account);
  const spec = {
    ...request.spec,
    audiences: request.spec?.audiences?.length ? request.spec.audiences : tokens.audiences,
    expirationSeconds: request.spec?.expirationSeconds ?? defaultSeconds,
  };
  const errors = lifeErrors(spec.expirationSeconds);
  if (errors.length > 0) throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, account.name, errors);
  const binding = spec.boundObjectRef ? await bindingOf(client, account, spec.boundObjectRef) : {};
  const { token, expiresAt } = tokens.issue({
    namespace: account.namespace,
    serviceAccount: { name: account.name, uid: metadata!.uid! },
    audiences: spec.audiences,
    lifeSeconds: spec.expirationSeconds,
    ...binding,
  });
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { ...request.metadata, name: account.name, namespace: account.namespace },
    spec,
    status: { token, expirationTimestamp: isoSeconds(expiresAt!) },
  };
}

function lifeErrors(seconds: number): readonly FieldError[] {
  const wrong =
    seconds < minSeconds
      ? 'may not specify a duration less than 10 minutes'
      : seconds > maxSeconds
        ? 'may not specify a duration larger than 2^32 seconds'
        : undefined;
  if (!wrong) return [];
  const message = `Invalid value: ${seconds}: ${wrong}`;
  return [{ type: 'Invalid value', field: 'spec.expirationSeconds', message }];
}

type Reference = NonNullable<NonNullable<TokenRequest['spec']>['boundObjectRef']>;

async function bindingOf(
  client: Pick<ApiClient, 'get'>,
  account: ObjectName & { readonly namespace: string },
  { kind = '', apiVersion, name = '', uid }: Reference,
): Promise<Pick<TokenClaims, 'bound' | 'node'>> {
  if (apiVersion !== 'v1' || (kind !== 'Pod' && kind !== 'Secret' && kind !== 'Node')) {
    throw new StatusError('BadRequest', `cannot bind token for serviceaccount to ${apiVersion ?? ''}, Kind=${kind}`);
  }
  const types: { readonly [Kind in BoundObject['kind']]: ResourceType } = { Pod: pods, Secret: secrets, Node: nodes };
  const type = types[kind];
  const object = await client.get(type, { ...(kind !== 'Node' && { namespace: account.namespace }), name });
  const actual = object.metadata!.uid!;
  if (uid && uid !== actual) {
    throw new StatusError(
      'Conflict',
      `Operation cannot be fulfilled on ${type.resource} "${name}": the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      { details: { name, kind: type.resource } },
    );
  }
  if (kind !== 'Pod') return { bound: { kind, name, uid: actual } };
  const { spec } = object as Pod;
  if (spec?.serviceAccountName !== account.name) {
    throw new StatusError(
      'BadRequest',
      `cannot bind token for serviceaccount "${account.name}" to pod running with different serviceaccount name.`,
    );
  }
  return { bound: { kind, name, uid: actual }, ...(spec.nodeName && { node: await nodeOf(client, spec.nodeName) }) };
}

/** The pod's node; without uid when the node is not, or no longer, there. */
async function nodeOf(client: Pick<ApiClient, 'get'>, name: string) {
  try {
    return { name, uid: (await client.get(nodes, { name })).metadata!.uid };
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'NotFound') return { name };
    throw error;
  }
}
