import type { AccountId, Arn } from '#base';
import type { ConditionContext } from '../service.ts';
import type { Principal } from './principal.ts';

/** One question to IAM. */
export interface AccessQuestion {
  readonly principal: Principal;
  /** `ecs:RunTask`. */
  readonly action: string;
  /** An ARN, or `*` where the action has no resource. */
  readonly resource: string;
  /** Condition keys of the call; those of the principal (`aws:PrincipalArn`, …) and the time are added by the authorizer. */
  readonly context: ConditionContext;
  /** Account that is acted on, which owns the resource. */
  readonly account: AccountId;
  /** The resource's own policy, if it has one. A role's trust policy must name the caller; others only add to what identities were given. */
  readonly resourcePolicy?: { readonly document: string; readonly isTrust: boolean };
}

/** The answer. `reason` is a whole sentence as AWS words its refusals; it is safe to show to the caller. */
export interface AccessDecision {
  readonly decision: 'allowed' | 'explicitDeny' | 'implicitDeny';
  readonly allowed: boolean;
  readonly reason: string;
}

/** Decides by policies alone: it never throws for a refusal. May be asked any number of times; the answer follows the policies as they are now. */
export interface Authorizer {
  decide(question: AccessQuestion): Promise<AccessDecision>;
}

/** A key that may sign, and who signs with it. */
export interface AccessKey {
  readonly secretAccessKey: string;
  /** Present on sessions: the call must carry it. */
  readonly sessionToken?: string;
  readonly principal: Principal;
}

/** Temporary credentials, as STS, the task metadata endpoint and instance profiles hand them out. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly roleArn: Arn;
}

export interface RoleSessionRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  /** The service principal that asks, which the role's trust policy must name: `ecs-tasks.amazonaws.com`. */
  readonly service: string;
  readonly durationMs: number;
  /** JSON policy documents that narrow the session. */
  readonly sessionPolicies?: readonly string[];
  /** Tags of the session, for which the trust policy must allow `sts:TagSession` too. */
  readonly sessionTags?: { readonly [key: string]: string };
  /** Condition keys for the trust policy, e.g. `aws:SourceArn`. */
  readonly context?: ConditionContext;
}

/** What other services may know of a role. */
export interface RoleDescription {
  readonly arn: Arn;
  readonly name: string;
  readonly account: AccountId;
  readonly roleId: string;
  /** Longest session a caller may ask for. */
  readonly maxSessionMs: number;
}

/** Who holds which key, and sessions for roles. Reads are answered from memory. */
export interface Identities {
  /** The active key with this id; undefined if it is unknown, inactive or expired. */
  find(accessKeyId: string): Promise<AccessKey | undefined>;
  /** True for a session that ended lately, so that its holder is told to fetch new credentials rather than that the key is unknown. */
  hasExpired(accessKeyId: string): boolean;
  /**
   * A session of a role for a service. Throws `AwsError` `AccessDenied` when the role's trust policy does not name the service, or when
   * there is no such role (as AWS does, which does not tell the two apart).
   */
  issueRoleSession(request: RoleSessionRequest): Promise<SessionCredentials>;
  /** The role, or undefined. */
  describeRole(arn: string): Promise<RoleDescription | undefined>;
}
