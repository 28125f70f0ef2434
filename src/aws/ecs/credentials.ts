import { DabbaError } from '#base';
import type { Identities, SessionCredentials } from '../auth/index.ts';
import { idIn, parseTaskArn, taskArn } from './names.ts';
import type { EcsState } from './state.ts';

/** `execution`: for pulling images and writing logs; `task`: for what runs inside. */
export type TaskRole = 'execution' | 'task';

/** What a task's sessions last: the longest that role chaining allows. */
const SESSION_MS = 3_600_000;

/**
 * Credentials of one of a task's roles. Throws `NotFound` when the task is unknown, `FailedPrecondition` when it has no such role, and the
 * refusal of IAM when the role does not trust ECS tasks.
 */
export async function taskCredentials(
  state: EcsState,
  identities: Identities,
  arn: string,
  role: TaskRole,
): Promise<SessionCredentials> {
  const named = parseTaskArn(arn);
  const task = await state.tasks.get(idIn(named, named.id));
  if (!task) throw new DabbaError('NotFound', `task ${arn} does not exist`);
  const roleArn = role === 'task' ? task.value.taskRoleArn : task.value.executionRoleArn;
  if (!roleArn)
    throw new DabbaError(
      'FailedPrecondition',
      `task ${arn} has no ${role === 'task' ? 'task role' : 'execution role'}`,
    );
  return identities.issueRoleSession({
    roleArn: roleArn.startsWith('arn:') ? roleArn : `arn:aws:iam::${named.account}:role/${roleArn}`,
    sessionName: named.id,
    service: 'ecs-tasks.amazonaws.com',
    durationMs: SESSION_MS,
    context: { 'aws:SourceArn': taskArn(named, named.id), 'aws:SourceAccount': named.account },
  });
}
