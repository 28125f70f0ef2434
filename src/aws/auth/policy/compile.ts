import type { Principal } from '../principal.ts';
import { compileCondition } from './condition.ts';
import { parsePolicy, type PolicyStatement, type PolicyUse } from './document.ts';
import { compilePattern, type ContextLookup } from './pattern.ts';
import { compilePrincipals, type PrincipalMatch } from './principals.ts';

/** What a policy is asked: may this be done to that, in these circumstances. */
export interface PolicyQuestion {
  /** In lower case: action names are compared without regard to case. */
  readonly action: string;
  readonly resource: string;
  readonly lookup: ContextLookup;
  readonly principal: Principal;
}

/** A statement as closures: everything that can be worked out before a question has been. */
export interface CompiledStatement {
  readonly effect: 'Allow' | 'Deny';
  /** How the statement applies; undefined when it does not. Identity policies always speak of the identity itself. */
  applies(question: PolicyQuestion): PrincipalMatch | undefined;
}

export type CompiledPolicy = readonly CompiledStatement[];

/** Parses, checks and compiles. Throws `PolicyFault`. */
export function compilePolicy(text: string, use: PolicyUse): CompiledPolicy {
  const document = parsePolicy(text, use);
  return document.statements.map((statement) => compileStatement(statement, document.version === '2012-10-17'));
}

function compileStatement(statement: PolicyStatement, hasVariables: boolean): CompiledStatement {
  const isAction = oneOf(statement.actions, statement.notActions, { hasVariables: false, ignoresCase: true });
  const isResource = oneOf(statement.resources, statement.notResources, { hasVariables });
  const conditions = statement.conditions.map((condition) => compileCondition(condition, hasVariables));
  const principals = compilePrincipals(statement);
  return {
    effect: statement.effect,
    applies(question) {
      const { lookup } = question;
      if (!isAction(question.action, lookup) || !isResource(question.resource, lookup)) return undefined;
      const match = principals(question.principal);
      return match && conditions.every((condition) => condition(lookup)) ? match : undefined;
    },
  };
}

/** True for what one of `included` matches, or none of `excluded`; a statement with neither (a trust policy's resource) takes all. */
function oneOf(
  included: readonly string[] | undefined,
  excluded: readonly string[] | undefined,
  options: { readonly hasVariables: boolean; readonly ignoresCase?: boolean },
): (text: string, lookup: ContextLookup) => boolean {
  const patterns = (included ?? excluded)?.map((source) => compilePattern(source, options));
  if (!patterns) return () => true;
  const matchesOne = (text: string, lookup: ContextLookup) => patterns.some((pattern) => pattern(text, lookup));
  return included ? matchesOne : (text, lookup) => !matchesOne(text, lookup);
}
