import { hash } from 'node:crypto';
import { parseArn } from '#base';
import type { ContainerSpec, SandboxSpec } from '#node';

/** Where a task finds its metadata and credentials: ECS Developer Guide, "Task metadata endpoint version 4". */
export const LINK_LOCAL_ADDRESS = '169.254.170.2';
export const LINK_LOCAL_PORT = 80;

export function taskIdOf({ identity }: SandboxSpec): string {
  return parseArn(identity).resource.split('/').at(-1)!;
}

/**
 * Paths derive from what they belong to, so that they hold over a restart. They are no secrets: who may read is decided by the address
 * that asks, which nobody else in the VPC can have.
 */
export function credentialsPath(sandbox: SandboxSpec): string {
  const digits = hash('sha256', sandbox.identity, 'hex');
  const groups = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20, 32),
  ];
  return `/v2/credentials/${groups.join('-')}`;
}

export function metadataPath(sandbox: SandboxSpec, container: ContainerSpec): string {
  const suffix = String(parseInt(hash('sha256', container.name, 'hex').slice(0, 8), 16)).padStart(10, '0');
  return `/v4/${taskIdOf(sandbox)}-${suffix}`;
}
