import type { Clock, Logger, Random } from '#base';
import type { Store } from '#store';
import { defineService, type CallContext, type RequiredPermission, type ServiceDefinition } from '../service.ts';
import { EventFiles } from './event-files.ts';
import { groupHandlers } from './groups.ts';
import { putEventsHandlers } from './put-events.ts';
import { readEventsHandlers } from './read-events.ts';
import { groupArn, groupNameOf, logCollections, type LogsState } from './records.ts';
import { serviceLogs, type ServiceLogs } from './service-writer.ts';
import { streamHandlers } from './streams.ts';

export type { ServiceLogs, ServiceStream } from './service-writer.ts';

export interface LogsOptions {
  readonly store: Store;
  /** Where events are kept; made when needed. What lies under `<account>/` is that account's. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** CloudWatch Logs. */
export function createLogs(options: LogsOptions): {
  readonly definition: ServiceDefinition;
  /** For services that write in their customers' name. */
  readonly service: ServiceLogs;
} {
  const { store, clock, random, directory } = options;
  const state: LogsState = { store, clock, random, files: new EventFiles(directory), ...logCollections(store) };
  const definition = defineService<typeof import('@aws-sdk/client-cloudwatch-logs')>({
    name: 'logs',
    signingNames: ['logs'],
    eventSource: 'logs.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-cloudwatch-logs'),
    // Data events, which a trail's management events leave out (CloudTrail User Guide, "Logging data events").
    dataOperations: ['PutLogEvents', 'GetLogEvents', 'FilterLogEvents'],
    handlers: {
      ...groupHandlers(state),
      ...streamHandlers(state),
      ...putEventsHandlers(state),
      ...readEventsHandlers(state),
    },
    permissions,
  });
  return { definition, service: serviceLogs(state) };
}

/**
 * The resource of a call: its stream, or its group in the form `…:log-group:<name>:log-stream:<stream>` that policies ending in `:*` match
 * (Service Authorization Reference, "Amazon CloudWatch Logs").
 */
function permissions(operation: string, input: unknown, context: CallContext): readonly RequiredPermission[] {
  const action = `logs:${operation}`;
  const named = input as {
    logGroupName?: string;
    logGroupIdentifier?: string;
    logStreamName?: string;
    resourceArn?: string;
  };
  if (named.resourceArn) return [{ action, resources: [named.resourceArn] }];
  if (!named.logGroupName && !named.logGroupIdentifier) return [{ action, resources: ['*'] }];
  return [{ action, resources: [`${groupArn(context, groupNameOf(named))}:log-stream:${named.logStreamName ?? ''}`] }];
}
