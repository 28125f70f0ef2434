import type { Clock } from '#base';
import type { AccessDecision, AccessQuestion, Authorizer } from '../ports.ts';
import type { Principal } from '../principal.ts';
import { compilePolicy, type CompiledPolicy } from './compile.ts';
import { contextLookup, type PrincipalTags } from './context.ts';
import type { PolicyUse } from './document.ts';
import { evaluate, type PolicySet, type Verdict } from './evaluate.ts';

/** The policies of a user or role, as JSON documents. */
export interface AttachedPolicies {
  readonly identity: readonly string[];
  readonly boundary: string | undefined;
  readonly tags: PrincipalTags;
}

/** Where an authorizer finds the policies of a user or role. Undefined: there is no such identity any more, so it may nothing. */
export interface PolicySource {
  policiesOf(principal: Principal & { readonly kind: 'user' | 'assumed-role' }): AttachedPolicies | undefined;
}

const MAX_COMPILED = 4096;

/** The authorizer over stored policies. Compiled policies are kept by their text, so that a decision parses nothing. */
export function createAuthorizer(options: { readonly policies: PolicySource; readonly clock: Clock }): Authorizer {
  const compiled = new Map<string, CompiledPolicy>();
  const compile = (text: string, use: PolicyUse): CompiledPolicy => {
    const key = `${use} ${text}`;
    const known = compiled.get(key);
    if (known) return known;
    const made = compilePolicy(text, use);
    if (compiled.size >= MAX_COMPILED) compiled.delete(compiled.keys().next().value!);
    compiled.set(key, made);
    return made;
  };

  const policySet = (question: AccessQuestion): PolicySet & { readonly tags: PrincipalTags } => {
    const { principal, resourcePolicy } = question;
    const resource = resourcePolicy && {
      resource: {
        policy: compile(resourcePolicy.document, resourcePolicy.isTrust ? 'trust' : 'resource'),
        isCrossAccount:
          principal.kind !== 'service' &&
          principal.kind !== 'federated' &&
          principal.kind !== 'anonymous' &&
          principal.account !== question.account,
        isRequired: resourcePolicy.isTrust,
      },
    };
    if (principal.kind === 'root') return { identity: 'everything', tags: {}, ...resource };
    if (principal.kind === 'service' || principal.kind === 'federated' || principal.kind === 'anonymous')
      return { identity: [], tags: {}, ...resource };
    const attached = options.policies.policiesOf(principal);
    const isSession = principal.kind === 'assumed-role';
    const session = isSession ? principal.sessionPolicies : [];
    return {
      identity: attached?.identity.map((text) => compile(text, 'identity')) ?? [],
      ...(attached?.boundary !== undefined && { boundary: compile(attached.boundary, 'identity') }),
      ...(session.length > 0 && { session: session.map((text) => compile(text, 'identity')) }),
      ...resource,
      tags: { ...attached?.tags, ...(isSession && principal.sessionTags) },
    };
  };

  return {
    decide(question) {
      const policies = policySet(question);
      const verdict = evaluate(policies, {
        action: question.action.toLowerCase(),
        resource: question.resource,
        principal: question.principal,
        lookup: contextLookup(question.context, question.principal, policies.tags, options.clock.now()),
      });
      return Promise.resolve(answerOf(verdict, question));
    },
  };
}

const allowed: AccessDecision = { decision: 'allowed', allowed: true, reason: '' };

function answerOf(verdict: Verdict, question: AccessQuestion): AccessDecision {
  if (verdict.decision === 'allowed') return allowed;
  return { decision: verdict.decision, allowed: false, reason: reasonOf(verdict, question) };
}

/** The sentence that AWS says ("Troubleshoot access denied error messages", IAM User Guide). */
function reasonOf(verdict: Exclude<Verdict, { decision: 'allowed' }>, question: AccessQuestion): string {
  const { principal, action, resource } = question;
  const who = principal.kind === 'anonymous' ? 'anonymous' : principal.arn;
  const refused = `User: ${who} is not authorized to perform: ${action} on resource: ${resource}`;
  const article = verdict.policy === 'identity-based policy' ? 'an' : 'a';
  if (verdict.decision === 'explicitDeny') return `${refused} with an explicit deny in ${article} ${verdict.policy}`;
  // A trust policy is not to be probed: the real service says no more than that.
  if (question.resourcePolicy?.isTrust && verdict.policy === 'resource-based policy') return refused;
  return `${refused} because no ${verdict.policy} allows the ${action} action`;
}
