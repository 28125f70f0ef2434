import type { Clock, Logger } from '#base';
import type { LinkLocalServer } from '#network';
import type { ContainerSpec, SandboxServices, SandboxSpec } from '#node';
import { LINK_LOCAL_ADDRESS, credentialsPath, metadataPath } from './addresses.ts';
import { openAwsLog } from './awslogs.ts';
import { JsonClient } from './json-client.ts';
import { linkLocalServer } from './link-local.ts';
import { taskRegistryCredentials } from './registry-credentials.ts';
import { ENDPOINT_URL } from '../vpc-addresses.ts';
import { RoleCredentials, type CredentialsSource } from './role-credentials.ts';
import type { SandboxLocator } from './sandboxes.ts';

export { LINK_LOCAL_ADDRESS, LINK_LOCAL_PORT } from './addresses.ts';
export type { CredentialsSource } from './role-credentials.ts';
export { createEksAgent, type EksAgent, type EksAgentOptions } from './eks-agent.ts';
export { podIdentityServer } from './pod-identity.ts';
export { sandboxLocator, type FoundSandbox, type SandboxLocator } from './sandboxes.ts';
export type { Credentials } from './signed-request.ts';
export { vpcRelay, type VpcRelayParts } from './vpc-relay.ts';
export {
  ENDPOINT_ADDRESS,
  ENDPOINT_PORT,
  METADATA_ADDRESS,
  METADATA_PORT,
  POD_IDENTITY_ADDRESS,
  POD_IDENTITY_PORT,
  type VpcCaller,
} from '../vpc-addresses.ts';

export interface EcsAgentOptions {
  /** Base URL of the AWS endpoint, `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** Sessions of tasks' roles; the control plane gives them. */
  readonly credentials: CredentialsSource;
  /** Who has which address here. Without it nothing is served inside the VPC, and containers are told of nothing. */
  readonly sandboxes?: SandboxLocator;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface EcsAgent extends SandboxServices {
  /**
   * Serves metadata and credentials to tasks; to be given to `NetworkPlane.serveLinkLocal(LINK_LOCAL_ADDRESS, LINK_LOCAL_PORT, …)` when
   * the agent was made with `sandboxes`, and only then present.
   */
  readonly linkLocal: LinkLocalServer | undefined;
}

/** What ECS does on a node: speaks to ECR and CloudWatch Logs in the name of each task's execution role, and to the tasks themselves. */
export function createEcsAgent({ endpoint, credentials, sandboxes, clock, logger }: EcsAgentOptions): EcsAgent {
  const client = new JsonClient(endpoint, clock);
  const roles = new RoleCredentials(credentials, clock);
  return {
    pullCredentials: (sandbox, image, signal) => taskRegistryCredentials(sandbox, image, { client, roles, signal }),
    openLog: (sandbox, container, signal) => openAwsLog(sandbox, container, { client, roles, signal }),
    environment: (sandbox, container) => ({
      AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE',
      AWS_REGION: sandbox.region,
      AWS_DEFAULT_REGION: sandbox.region,
      ...(sandboxes ? served(sandbox, container) : {}),
    }),
    linkLocal: sandboxes && linkLocalServer({ sandboxes, roles, logger }),
  };
}

/** Where a container finds what is served: ECS Developer Guide, "Task metadata endpoint version 4" and "Task IAM role"; and the AWS APIs, by the variable that all SDKs obey. */
function served(sandbox: SandboxSpec, container: ContainerSpec): { [name: string]: string } {
  const base = `http://${LINK_LOCAL_ADDRESS}`;
  return {
    AWS_ENDPOINT_URL: ENDPOINT_URL,
    ECS_CONTAINER_METADATA_URI_V4: `${base}${metadataPath(sandbox, container)}`,
    ...(sandbox.facts?.taskRole ? { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: credentialsPath(sandbox) } : {}),
  };
}
