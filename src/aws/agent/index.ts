import type { Clock, Logger } from '#base';
import type { SandboxServices } from '#node';
import { openAwsLog } from './awslogs.ts';
import { JsonClient } from './json-client.ts';
import { registryCredentials } from './registry-credentials.ts';
import { RoleCredentials, type CredentialsSource } from './role-credentials.ts';

export type { CredentialsSource } from './role-credentials.ts';
export type { Credentials } from './signed-request.ts';

export interface EcsAgentOptions {
  /** Base URL of the AWS endpoint, `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** Sessions of tasks' roles; the control plane gives them. */
  readonly credentials: CredentialsSource;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What ECS does on a node: speaks to ECR and CloudWatch Logs in the name of each task's execution role. */
export function createEcsAgent({ endpoint, credentials, clock }: EcsAgentOptions): SandboxServices {
  const client = new JsonClient(endpoint, clock);
  const roles = new RoleCredentials(credentials, clock);
  return {
    pullCredentials: (sandbox, image, signal) => registryCredentials(sandbox, image, { client, roles, signal }),
    openLog: (sandbox, container, signal) => openAwsLog(sandbox, container, { client, roles, signal }),
    /** As Fargate gives it. The addresses of task metadata and credentials join it when they are served. */
    environment: ({ region }) => ({
      AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE',
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
    }),
  };
}
