import type { Brand } from './brand.ts';
import { DabbaError } from './errors.ts';

/** An Amazon Resource Name: `arn:partition:service:region:account:resource`. */
export type Arn = Brand<string, 'Arn'>;

/** The parts of an ARN. `region` and `account` are empty for global and public resources; `resource` may hold `:` and `/`. */
export interface ArnParts {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly account: string;
  readonly resource: string;
}

/** Builds an ARN in partition `aws` unless told otherwise. */
export function formatArn(parts: Omit<ArnParts, 'partition'> & { readonly partition?: string }): Arn {
  return `arn:${parts.partition ?? 'aws'}:${parts.service}:${parts.region}:${parts.account}:${parts.resource}` as Arn;
}

/** True if `text` has the six parts of an ARN. */
export function isArn(text: string): text is Arn {
  return text.startsWith('arn:') && text.split(':').length >= 6;
}

/** Takes an ARN apart; throws `InvalidArgument` when it is none. */
export function parseArn(text: string): ArnParts {
  const [prefix, partition, service, region, account, ...resource] = text.split(':');
  if (prefix !== 'arn' || !partition || !service || region === undefined || account === undefined || !resource.length)
    throw new DabbaError('InvalidArgument', `"${text}" is not an ARN`);
  return { partition, service, region, account, resource: resource.join(':') };
}
