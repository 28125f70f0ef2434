import type { Random } from '#base';
import type { ServiceEventRecord, ServiceRecord, TaskRecord } from './records.ts';

/** How many events a service remembers: API Reference, Service, "events". */
const MAX_EVENTS = 100;

const GUIDE = 'For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.';

/** `(task 1) (task 2)`. */
function list(tasks: readonly TaskRecord[]): string {
  return tasks.map(({ id }) => `(task ${id})`).join(' ');
}

/** The sentences of a service's events, as the console shows them: ECS Developer Guide, "Service event messages". */
export const sentences = {
  started: ({ name }: ServiceRecord, tasks: readonly TaskRecord[]) =>
    `(service ${name}) has started ${tasks.length} tasks: ${list(tasks)}.`,
  stopped: ({ name }: ServiceRecord, tasks: readonly TaskRecord[]) =>
    `(service ${name}) has stopped ${tasks.length} running tasks: ${list(tasks)}.`,
  unhealthy: ({ name }: ServiceRecord, { id }: TaskRecord) =>
    `(service ${name}) (task ${id}) failed container health checks.`,
  completed: ({ name }: ServiceRecord, deploymentId: string) =>
    `(service ${name}) (deployment ${deploymentId}) deployment completed.`,
  failed: ({ name }: ServiceRecord, deploymentId: string) =>
    `(service ${name}) (deployment ${deploymentId}) deployment failed: tasks failed to start.`,
  rollingBack: ({ name }: ServiceRecord, deploymentId: string) =>
    `(service ${name}) rolling back to deployment ${deploymentId}.`,
  steady: ({ name }: ServiceRecord) => `(service ${name}) has reached a steady state.`,
  unableToStart: ({ name }: ServiceRecord) =>
    `(service ${name}) is unable to consistently start tasks successfully. ${GUIDE}`,
  noInstances: ({ name }: ServiceRecord) =>
    `(service ${name}) was unable to place a task because no container instance met all of its requirements. Reason: No Container Instances were found in your cluster. ${GUIDE}`,
} as const;

/** The service with more events, in the order they happened. */
export function withEvents(
  service: ServiceRecord,
  messages: readonly string[],
  source: { readonly random: Random; readonly now: number },
): ServiceRecord {
  if (!messages.length) return service;
  const added = messages.map((message): ServiceEventRecord => ({
    id: source.random.uuid(),
    createdAt: source.now,
    message,
  }));
  return { ...service, events: [...added.toReversed(), ...service.events].slice(0, MAX_EVENTS) };
}
