import type { Clock, Random } from '#base';
import { Collection, type Store, type Versioned } from '#store';
import { AwsError } from '../errors.ts';
import type { EventFiles } from './event-files.ts';

export interface LogGroup {
  /** Names its directory, so that a group deleted and made again shows nothing of before. */
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly retentionInDays?: number;
  readonly tags: { readonly [key: string]: string };
}

export interface LogStream {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly firstEventAt?: number;
  readonly lastEventAt?: number;
  readonly lastIngestionAt?: number;
}

export interface Scope {
  readonly account: string;
  readonly region: string;
}

/** What every operation of the service needs. */
export interface LogsState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: EventFiles;
  /** `<account>/<region>/<group name>`. */
  readonly groups: Collection<LogGroup>;
  /** `<account>/<region>/<group id>/<stream name>`. */
  readonly streams: Collection<LogStream>;
}

export function logCollections(store: Store): Pick<LogsState, 'groups' | 'streams'> {
  return { groups: new Collection(store, 'logs/groups/'), streams: new Collection(store, 'logs/streams/') };
}

/** Where a stream's events lie, relative to the service's directory. */
export function streamPath(scope: Scope, group: LogGroup, stream: LogStream): string {
  return `${groupPath(scope, group)}/${stream.id}`;
}

export function groupPath(scope: Scope, group: LogGroup): string {
  return `${scope.account}/${scope.region}/${group.id}`;
}

export function groupArn(scope: Scope, name: string): string {
  return `arn:aws:logs:${scope.region}:${scope.account}:log-group:${name}`;
}

/** The group a request names, by name or by ARN. */
export function groupNameOf(input: {
  readonly logGroupName?: string | undefined;
  readonly logGroupIdentifier?: string | undefined;
}): string {
  const given = input.logGroupName ?? input.logGroupIdentifier;
  if (!given) throw new AwsError('InvalidParameterException', 'Either logGroupName or logGroupIdentifier is required.');
  return given.startsWith('arn:') ? given.split(':').slice(6).join(':').replace(/:\*$/, '') : given;
}

export async function mustGetGroup(state: LogsState, scope: Scope, name: string): Promise<Versioned<LogGroup>> {
  const group = await state.groups.get(`${scope.account}/${scope.region}/${name}`);
  if (!group) throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
  return group;
}

export async function mustGetStream(
  state: LogsState,
  scope: Scope,
  group: LogGroup,
  name: string | undefined,
): Promise<Versioned<LogStream>> {
  const stream = await state.streams.get(`${scope.account}/${scope.region}/${group.id}/${name}`);
  if (!stream) throw new AwsError('ResourceNotFoundException', 'The specified log stream does not exist.');
  return stream;
}

/** Checks a `limit` against the operation's bounds. */
export function limitOf(limit: number | undefined, maximum: number): number {
  if (limit === undefined) return maximum;
  if (limit < 1 || limit > maximum)
    throw new AwsError(
      'InvalidParameterException',
      `1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value between 1 and ${maximum}`,
    );
  return limit;
}
