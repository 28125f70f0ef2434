/** What an AWS service is to the edge. A service's folder exports one function that makes a `ServiceDefinition` from what it needs. */
import type { AccountId } from '#base';
import type { Operation } from '#store';
import type { Principal } from './auth/principal.ts';

/** What a handler knows of its call beside the typed input. */
export interface CallContext {
  /** Account that is acted on: the caller's. */
  readonly account: AccountId;
  readonly region: string;
  readonly principal: Principal;
  readonly requestId: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  /** Milliseconds since the epoch, fixed for the call. */
  readonly now: number;
  /** Base URL the client used, e.g. `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** Decides a further action (e.g. `iam:PassRole`) for the caller; throws AccessDenied as the service words it. */
  authorize(action: string, resource: string, context?: ConditionContext): Promise<void>;
  /**
   * What a handler adds to the transaction of its effect, so that the call's client token is remembered with it: a repeated call then has this output, though the process
   * died before it could answer. Nothing for calls without a token. Default: the answer is remembered once the handler has given it.
   */
  readonly remember: (output: object) => readonly Operation[];
}

/** Condition keys (`aws:SourceIp`, `ecs:cluster`, …) and their values for one decision. */
export type ConditionContext = { readonly [key: string]: string | readonly string[] | number | boolean | undefined };

type Clean<Output> = Omit<Output, '$metadata'>;

/**
 * The handlers of a service, typed from its SDK package: `{ CreateCluster(input, context): Promise<output without $metadata> }`. An operation
 * that is absent answers 501 and shows as missing in the coverage table.
 */
export type Handlers<Sdk> = {
  readonly [
    Name in keyof Sdk as Name extends `${infer OperationName}Command` ? OperationName : never
  ]?: Sdk[Name] extends abstract new (
    // Inference goes through the instance type: overloads of the constructor defeat it for operations with no required input.
    ...args: never[]
  ) => infer Instance
    ? Instance extends {
        readonly input: infer Input;
        resolveMiddleware(...args: never[]): (...args: never[]) => Promise<{ output: infer Output }>;
      }
      ? (input: Input, context: CallContext) => Promise<Clean<Output>> | Clean<Output>
      : never
    : never;
};

/** What one call needs permission for. The edge asks for every entry; the first refusal answers. */
export interface RequiredPermission {
  /** `ecs:RunTask`. */
  readonly action: string;
  /** ARNs; `*` where the action has no resource. */
  readonly resources: readonly string[];
  readonly context?: ConditionContext;
}

export interface ServiceDefinition {
  /** Prefix of its IAM actions and name in coverage, logs and metrics: `ecs`, `ecr-public`, `elasticloadbalancing`. */
  readonly name: string;
  /** Names in the SigV4 credential scope that mean this service, `ecs`. */
  readonly signingNames: readonly string[];
  /** CloudTrail's `eventSource`, `ecs.amazonaws.com`. */
  readonly eventSource: string;
  /** Loads the SDK package; done once, on the first request or for coverage. */
  loadSdk(): Promise<object>;
  readonly handlers: { readonly [operation: string]: unknown };
  /**
   * The input with everything that could come to mean something else (a name, a version that moves, a default) put in its place, so that permission is asked for what
   * the handler then does. May throw `AwsError`, which answers once the caller may do what it asked. Default: the input as it is.
   */
  resolve?(operation: string, input: object, context: CallContext): Promise<object>;
  /** Permissions of an operation, by its resolved input. Default: `<name>:<operation>` on `*`. May look at the input; must not throw for odd input. */
  permissions?(
    operation: string,
    input: unknown,
    context: CallContext,
  ): readonly RequiredPermission[] | Promise<readonly RequiredPermission[]>;
  /** Operations on data rather than on resources (`logs:PutLogEvents`), which the audit trail leaves out as CloudTrail does. */
  readonly dataOperations?: readonly string[];
  /** Operations that need no signature (AssumeRoleWithWebIdentity) or no permission (sts:GetCallerIdentity). */
  readonly unsigned?: readonly string[];
  readonly unguarded?: readonly string[];
  /** Error code for input that fails validation, where it differs from the protocol's usual. */
  readonly validationCode?: string;
  /** Largest request body. Default 4 MiB. */
  readonly maxBodyBytes?: number;
  /**
   * Operations that honour the client token their schema marks: the same token with the same input gets the first answer again, with other input the error of this code.
   * Other operations see the token in their input and may do as they like.
   */
  readonly idempotency?: { readonly [operation: string]: string };
}

/**
 * Ties handlers to their SDK's types. Example:
 *
 *     defineService<typeof import('@aws-sdk/client-ecs')>({
 *       name: 'ecs', signingNames: ['ecs'], eventSource: 'ecs.amazonaws.com',
 *       loadSdk: () => import('@aws-sdk/client-ecs'),
 *       handlers: { ListClusters: (input, context) => … },
 *     })
 */
export function defineService<Sdk>(
  definition: Omit<ServiceDefinition, 'handlers'> & { readonly handlers: Handlers<Sdk> },
): ServiceDefinition {
  return definition;
}
