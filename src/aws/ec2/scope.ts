import type { Clock, Random } from '#base';
import { recordId, type NetworkRecords } from '#network';
import type { Store } from '#store';

/** What every operation of the service needs. */
export interface Ec2State {
  readonly store: Store;
  readonly records: NetworkRecords;
  readonly clock: Clock;
  readonly random: Random;
  /** What the ids of default VPCs are drawn from that nobody has looked at yet. */
  readonly seed: string;
  /** Where public addresses come from. */
  readonly publicCidr: string;
}

/** Whose records, where. A `CallContext` is one. */
export interface Scope {
  readonly account: string;
  readonly region: string;
}

/** Id of a record within its collection. */
export function keyIn(scope: Scope, id: string): string {
  return recordId({ tenant: scope.account, region: scope.region, id });
}

/** Prefix of a scope's records within a collection. */
export function allIn(scope: Scope): string {
  return `${scope.account}/${scope.region}/`;
}

/** What ids are drawn from. */
export type Drawing = Pick<Random, 'hex'>;

/** A new id in the long form, `vpc-0a1b2c3d4e5f67890`. */
export function newId(random: Drawing, prefix: string): string {
  return `${prefix}-0${random.hex(16)}`;
}

export function ec2Arn(scope: Scope, type: string, id: string): string {
  return `arn:aws:ec2:${scope.region}:${scope.account}:${type}/${id}`;
}
