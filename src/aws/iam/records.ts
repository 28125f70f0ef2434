import type { AccountId } from '#base';
import type { Principal } from '../auth/index.ts';
import type { Tags } from '../tags.ts';

/** What all named things of IAM have. Names are unique in an account without regard to case. */
interface Entity {
  readonly account: AccountId;
  readonly name: string;
  /** Begins and ends with `/`. */
  readonly path: string;
  /** `AIDA…`, `AROA…`, … */
  readonly id: string;
  readonly createdAt: number;
}

/** What an identity may do: documents by name, and ARNs of managed policies. */
export interface PolicyHolder {
  readonly inlinePolicies: { readonly [name: string]: string };
  readonly attachedPolicies: readonly string[];
}

export interface UserRecord extends Entity, PolicyHolder {
  readonly tags: Tags;
  /** ARN of the managed policy that bounds it. */
  readonly permissionsBoundary?: string;
  readonly groups: readonly string[];
}

export interface GroupRecord extends Entity, PolicyHolder {}

export interface RoleRecord extends Entity, PolicyHolder {
  readonly tags: Tags;
  readonly permissionsBoundary?: string;
  readonly trustPolicy: string;
  readonly description?: string;
  readonly maxSessionSeconds: number;
}

export interface PolicyRecord extends Entity {
  readonly description?: string;
  readonly tags: Tags;
  readonly versions: readonly PolicyVersionRecord[];
  readonly defaultVersionId: string;
  /** Number of the next version: numbers are never used again. */
  readonly nextVersion: number;
  readonly updatedAt: number;
}

export interface PolicyVersionRecord {
  readonly id: string;
  readonly document: string;
  readonly createdAt: number;
}

export interface InstanceProfileRecord extends Entity {
  readonly tags: Tags;
  /** At most one. */
  readonly roles: readonly string[];
}

export interface AccessKeyRecord {
  readonly account: AccountId;
  readonly id: string;
  readonly userName: string;
  readonly secretAccessKey: string;
  readonly status: 'Active' | 'Inactive';
  readonly createdAt: number;
}

/** Temporary credentials. They die with a lease some time after they have expired. */
export interface SessionRecord {
  readonly account: AccountId;
  readonly id: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly principal: Principal;
  readonly expiresAt: number;
}

/** An OpenID Connect provider whose tokens roles may trust. */
export interface OidcProviderRecord {
  readonly account: AccountId;
  /** The issuer without `https://`, by which ARNs and condition keys name it. */
  readonly url: string;
  readonly clientIds: readonly string[];
  readonly thumbprints: readonly string[];
  readonly tags: Tags;
  readonly createdAt: number;
}
