import { isoSeconds, type Random } from '#base';
import type { Principal } from '../auth/index.ts';
import type { EcrAuditEvent } from '../ecr/index.ts';
import type { FinishedCall } from '../edge/index.ts';
import { auditParameters } from './parameters.ts';

/** A CloudTrail record (CloudTrail User Guide, "Record contents for management events"). */
export interface AuditRecord {
  readonly eventVersion: '1.11';
  readonly userIdentity: UserIdentity;
  /** UTC, whole seconds. */
  readonly eventTime: string;
  readonly eventSource: string;
  readonly eventName: string;
  readonly awsRegion: string;
  readonly sourceIPAddress: string;
  readonly userAgent: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly requestParameters: unknown;
  /** Null for operations that only read. */
  readonly responseElements: unknown;
  readonly requestID: string;
  readonly eventID: string;
  readonly readOnly: boolean;
  readonly resources?: readonly AuditResource[];
  readonly eventType: 'AwsApiCall';
  readonly managementEvent: true;
  readonly recipientAccountId: string;
  readonly eventCategory: 'Management';
}

export interface AuditResource {
  readonly accountId?: string;
  readonly ARN: string;
  readonly type?: string;
}

export type UserIdentity = { readonly type: string; readonly userName?: string; readonly accessKeyId?: string } & {
  readonly [field: string]: unknown;
};

/** What a call leaves in the trail; undefined for those that leave nothing: unknown callers, and operations on data. */
export function auditRecordOf(finished: FinishedCall, random: Random): AuditRecord | undefined {
  const { call, output, error } = finished;
  const { service, wireCall, principal, context } = call;
  if (!service || !wireCall || !principal || principal.kind === 'anonymous') return undefined;
  const { definition } = service;
  const { operation } = wireCall;
  if (definition.dataOperations?.includes(operation.name)) return undefined;
  const readOnly = isReadOnly(operation.name);
  return {
    eventVersion: '1.11',
    userIdentity: userIdentityOf(principal),
    eventTime: isoSeconds(call.startedAt),
    eventSource: definition.eventSource,
    eventName: operation.name,
    awsRegion: context?.region ?? call.claim?.region ?? 'us-east-1',
    sourceIPAddress: call.sourceIp,
    userAgent: call.userAgent,
    ...(error && { errorCode: error.code, errorMessage: error.message }),
    requestParameters: auditParameters(operation.input, call.input),
    responseElements: readOnly || error ? null : auditParameters(operation.output, output),
    requestID: call.requestId,
    eventID: random.uuid(),
    readOnly,
    ...(call.resources?.length && { resources: call.resources.map(resourceOf) }),
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: principal.account,
    eventCategory: 'Management',
  };
}

/**
 * What an operation of the registry's protocol leaves in the trail, as ECR records it under the operation's name. Anonymous pulls leave nothing.
 */
export function registryRecordOf(
  event: EcrAuditEvent,
  { now, random }: { readonly now: number; readonly random: Random },
): AuditRecord | undefined {
  const { principal, repositoryName, digest, tag } = event;
  if (principal.kind === 'anonymous') return undefined;
  return {
    eventVersion: '1.11',
    userIdentity: userIdentityOf(principal),
    eventTime: isoSeconds(now),
    eventSource: 'ecr.amazonaws.com',
    eventName: event.eventName,
    awsRegion: event.region,
    sourceIPAddress: event.sourceIp,
    userAgent: event.userAgent,
    ...(event.errorCode !== undefined && { errorCode: event.errorCode }),
    requestParameters: {
      registryId: event.account,
      repositoryName,
      ...(tag !== undefined && { imageTag: tag }),
      ...(digest !== undefined && { imageDigest: digest }),
    },
    responseElements: null,
    requestID: random.uuid(),
    eventID: random.uuid(),
    readOnly: event.readOnly,
    resources: [{ accountId: event.account, ARN: event.repositoryArn, type: 'AWS::ECR::Repository' }],
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: event.account,
    eventCategory: 'Management',
  };
}

/** As CloudTrail marks them: what describes, gets or lists changes nothing. */
export function isReadOnly(operation: string): boolean {
  return /^(BatchCheck|BatchGet|Check|Decode|Describe|Discover|Filter|Get|List|Lookup|Search|Simulate|Test|Validate)/.test(
    operation,
  );
}

export function userIdentityOf(principal: Exclude<Principal, { kind: 'anonymous' }>): UserIdentity {
  if (principal.kind === 'service') return { type: 'AWSService', invokedBy: principal.service };
  if (principal.kind === 'federated') return { type: 'WebIdentityUser', identityProvider: principal.arn };
  const common = {
    principalId: principal.principalId,
    arn: principal.arn,
    accountId: principal.account,
    accessKeyId: principal.accessKeyId,
  };
  switch (principal.kind) {
    case 'root':
      return { type: 'Root', ...common };
    case 'user':
      return { type: 'IAMUser', ...common, userName: principal.userName };
    default:
      return {
        type: 'AssumedRole',
        ...common,
        sessionContext: {
          sessionIssuer: {
            type: 'Role',
            principalId: principal.principalId.split(':')[0],
            arn: principal.roleArn,
            accountId: principal.account,
            userName: principal.roleName,
          },
          attributes: { creationDate: isoSeconds(principal.issuedAt), mfaAuthenticated: 'false' },
        },
      };
  }
}

/** Names of services in resource types, where they are not simply in capitals. */
const typeNames: { readonly [service: string]: string } = {
  logs: 'Logs',
  elasticloadbalancing: 'ElasticLoadBalancingV2',
};

/** `arn:aws:ecs:…:cluster/prod` is an `AWS::ECS::Cluster`. */
function resourceOf(arn: string): AuditResource {
  const [, , service = '', , account = '', resource = ''] = arn.split(':');
  const kind = /^([a-z][a-z-]*)(?:\/|$)/.exec(resource)?.[1];
  const words = kind?.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return {
    ...(account && { accountId: account }),
    ARN: arn,
    ...(words && { type: `AWS::${typeNames[service] ?? service.toUpperCase()}::${words.join('')}` }),
  };
}
