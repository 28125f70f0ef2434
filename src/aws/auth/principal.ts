import type { AccountId, Arn } from '#base';

/** Who is calling, as signatures prove it. */
export type Principal =
  | {
      readonly kind: 'root';
      readonly account: AccountId;
      readonly arn: Arn;
      readonly principalId: string;
      readonly accessKeyId: string;
    }
  | {
      readonly kind: 'user';
      readonly account: AccountId;
      readonly arn: Arn;
      readonly principalId: string;
      readonly accessKeyId: string;
      readonly userName: string;
    }
  | {
      readonly kind: 'assumed-role';
      readonly account: AccountId;
      /** `arn:aws:sts::…:assumed-role/<role>/<session>`. */
      readonly arn: Arn;
      readonly principalId: string;
      readonly accessKeyId: string;
      readonly roleArn: Arn;
      readonly roleName: string;
      readonly sessionName: string;
      /** Limits of the session itself, as JSON policy documents. */
      readonly sessionPolicies: readonly string[];
      /** What the session was given when it began; they come before the role's own tags. */
      readonly sessionTags?: { readonly [key: string]: string };
      readonly issuedAt: number;
      readonly expiresAt: number;
    }
  /** Whom an outside identity provider vouches for. `arn` is the provider's, which trust policies name; it may ask for a session of a role and nothing else. */
  | { readonly kind: 'federated'; readonly account: AccountId; readonly arn: Arn }
  | { readonly kind: 'service'; readonly account: AccountId; readonly service: string; readonly arn: Arn }
  | { readonly kind: 'anonymous' };
