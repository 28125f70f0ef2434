import type { Clock, Logger, Random } from '#base';
import type { EcrAuditEvent } from '../ecr/index.ts';
import type { CallObserver } from '../edge/index.ts';
import { AwsError } from '../errors.ts';
import { defineService, type Handlers, type ServiceDefinition } from '../service.ts';
import { registryRecordOf, type AuditRecord } from './record.ts';
import { AuditTrail, type TrailPosition } from './trail.ts';

type LookupEvents = NonNullable<Handlers<typeof import('@aws-sdk/client-cloudtrail')>['LookupEvents']>;
type Attribute = { readonly AttributeKey?: string | undefined; readonly AttributeValue?: string | undefined };

const MAX_RESULTS = 50;
/** CloudTrail keeps its event history for 90 days. */
const HISTORY_MS = 90 * 24 * 3_600_000;

export interface CloudTrail extends CallObserver {
  readonly definition: ServiceDefinition;
  /** For images that come and go by the registry's protocol instead of the edge. */
  registryAudit(event: EcrAuditEvent): void;
  /** Forgets the records of an account, or all. */
  forget(account: string | undefined): Promise<void>;
  close(): Promise<void>;
}

/** CloudTrail: the event history, kept in files under `directory`. Trails that write to buckets are not built. */
export function createCloudTrail(options: {
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}): CloudTrail {
  const trail = new AuditTrail(options);
  return {
    definition: cloudTrailService(trail),
    observe: (finished) => trail.observe(finished),
    registryAudit(event) {
      const record = registryRecordOf(event, { now: options.clock.now(), random: options.random });
      if (record) trail.record(record);
    },
    // The files are written synchronously, so that no record comes in between.
    forget: (account) => Promise.resolve(trail.forget(account)),
    close: () => Promise.resolve(trail[Symbol.dispose]()),
  };
}

function cloudTrailService(trail: AuditTrail): ServiceDefinition {
  return defineService<typeof import('@aws-sdk/client-cloudtrail')>({
    name: 'cloudtrail',
    signingNames: ['cloudtrail'],
    eventSource: 'cloudtrail.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-cloudtrail'),
    handlers: { LookupEvents: lookupEvents(trail) },
  });
}

function lookupEvents(trail: AuditTrail): LookupEvents {
  return (input, context) => {
    const limit = input.MaxResults ?? MAX_RESULTS;
    if (limit < 1 || limit > MAX_RESULTS)
      throw new AwsError(
        'InvalidMaxResultsException',
        `MaxResults must be between 1 and ${MAX_RESULTS}, not ${limit}.`,
      );
    const start = Math.max(input.StartTime?.getTime() ?? 0, context.now - HISTORY_MS);
    const end = input.EndTime?.getTime() ?? Number.POSITIVE_INFINITY;
    if (start > end) throw new AwsError('InvalidTimeRangeException', 'StartTime must not be after EndTime.');
    const attributes = input.LookupAttributes ?? [];
    const found: { record: AuditRecord; position: TrailPosition }[] = [];
    for (const entry of trail.read(context.account, positionOf(input.NextToken))) {
      const { record } = entry;
      const at = Date.parse(record.eventTime);
      // Records are in order of their calls' ends, so one a minute too old may still be followed by younger ones.
      if (at < start - 60_000) break;
      if (at < start || at > end || record.awsRegion !== context.region) continue;
      if (!attributes.every((attribute) => matches(record, attribute))) continue;
      if (found.length === limit)
        return { Events: found.map(({ record }) => describe(record)), NextToken: tokenOf(found.at(-1)!.position) };
      found.push(entry);
    }
    return { Events: found.map(({ record }) => describe(record)) };
  };
}

function matches(record: AuditRecord, { AttributeKey: key, AttributeValue: value = '' }: Attribute): boolean {
  switch (key) {
    case 'EventId':
      return record.eventID === value;
    case 'EventName':
      return record.eventName === value;
    case 'ReadOnly':
      return String(record.readOnly) === value;
    case 'Username':
      return userNameOf(record) === value;
    case 'EventSource':
      return record.eventSource === value;
    case 'AccessKeyId':
      return record.userIdentity.accessKeyId === value;
    case 'ResourceType':
      return record.resources?.some((resource) => resource.type === value) ?? false;
    case 'ResourceName':
      return (
        record.resources?.some((resource) => resource.ARN === value || resource.ARN.split(/[:/]/).at(-1) === value) ??
        false
      );
    default:
      throw new AwsError('InvalidLookupAttributesException', `"${key}" is not an attribute to look up by.`);
  }
}

function describe(record: AuditRecord) {
  const { accessKeyId } = record.userIdentity;
  const userName = userNameOf(record);
  return {
    EventId: record.eventID,
    EventName: record.eventName,
    ReadOnly: String(record.readOnly),
    EventTime: new Date(record.eventTime),
    EventSource: record.eventSource,
    Resources: (record.resources ?? []).map((resource) => ({
      ResourceType: resource.type,
      ResourceName: resource.ARN,
    })),
    CloudTrailEvent: JSON.stringify(record),
    ...(accessKeyId !== undefined && { AccessKeyId: accessKeyId }),
    ...(userName !== undefined && { Username: userName }),
  };
}

/** The user, `root`, or the session's name. */
function userNameOf({ userIdentity }: AuditRecord): string | undefined {
  if (userIdentity.type === 'Root') return 'root';
  if (userIdentity.type !== 'AssumedRole') return userIdentity.userName;
  return String(userIdentity['principalId']).split(':')[1];
}

function tokenOf({ file, line }: TrailPosition): string {
  return Buffer.from(`${file} ${line}`).toString('base64url');
}

function positionOf(token: string | undefined): TrailPosition | undefined {
  if (token === undefined) return undefined;
  const match = /^(\d{8}\.jsonl) (\d+)$/.exec(Buffer.from(token, 'base64url').toString('utf8'));
  if (!match) throw new AwsError('InvalidNextTokenException', 'The NextToken is not valid.');
  return { file: match[1]!, line: Number(match[2]) };
}
