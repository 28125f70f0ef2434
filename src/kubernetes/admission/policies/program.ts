/** A validating admission policy, compiled: what its expressions say of one request. Upstream: `apiserver/pkg/admission/plugin/policy/validating`, `plugin/cel`. */
import { messageOf } from '#base';
import type { AdmissionRequest } from '../../auth/user.ts';
import { CelError, compileCel, type CelProgram } from '../../cel/cel.ts';
import { TOTAL_LIMIT, withinCost } from '../../cel/cost.ts';
import type { KubernetesObject } from '../../object.ts';
import { celValue } from '../../schema/structural/cel-values.ts';
import type { Namespace, ValidatingAdmissionPolicy } from '../../types.ts';

type Spec = NonNullable<ValidatingAdmissionPolicy['spec']>;

/** What an expression may name; `variables` holds the policy's own. */
export const policyVariables = ['object', 'oldObject', 'request', 'params', 'namespaceObject', 'variables'];

export interface Subject {
  readonly request: AdmissionRequest;
  readonly params: KubernetesObject | undefined;
  readonly home: Namespace | undefined;
}

/** One validation that did not hold. */
export interface Denial {
  readonly message: string;
  readonly reason: string | undefined;
}

export interface PolicyProgram {
  /** The denials of a request; empty also if a condition says that the request is none of the policy's. Throws `CelError` if an expression fails. */
  evaluate(subject: Subject): readonly Denial[];
}

/** Compiles a policy. An expression that does not compile throws `CelError` when it is first evaluated: then the policy's failure policy decides. */
export function compilePolicy({ matchConditions = [], validations = [], variables = [] }: Spec): PolicyProgram {
  const conditions = matchConditions.map(({ expression }) => lazily(expression));
  const named = variables.map(({ name, expression }) => ({ name, program: lazily(expression) }));
  const rules = validations.map((rule) => ({
    ...rule,
    program: lazily(rule.expression),
    messageProgram: rule.messageExpression ? lazily(rule.messageExpression) : undefined,
  }));
  return {
    evaluate: (subject) => withinCost(TOTAL_LIMIT, () => denialsOf(subject)),
  };

  function denialsOf(subject: Subject): readonly Denial[] {
    const values = valuesOf(subject, named);
    for (const condition of conditions) if (condition().evaluate(values) !== true) return [];
    return rules.flatMap(({ program, messageProgram, message, expression, reason }) => {
      if (program().evaluate(values) === true) return [];
      const text =
        (messageProgram && messageFrom(messageProgram, values)) || message || `failed expression: ${expression.trim()}`;
      return [{ message: text.trim(), reason }];
    });
  }
}

function lazily(expression: string): () => CelProgram {
  let compiled: CelProgram | undefined;
  return () => (compiled ??= compileCel(expression, policyVariables));
}

/** A message that cannot be made gives way to the plain one. */
function messageFrom(program: () => CelProgram, values: { readonly [name: string]: unknown }): string | undefined {
  try {
    const text = program().evaluate(values);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text : undefined;
  } catch (error) {
    if (error instanceof CelError) return undefined;
    throw error;
  }
}

interface Variable {
  readonly name: string;
  readonly program: () => CelProgram;
}

/** Variables are computed when they are read, and once; a failure is that of whoever reads. */
function valuesOf(
  { request, params, home }: Subject,
  named: readonly Variable[],
): { readonly [name: string]: unknown } {
  const variables = {};
  const values = {
    object: celValue(request.object ?? null, undefined),
    oldObject: celValue(request.oldObject ?? null, undefined),
    request: celValue(describeRequest(request), undefined),
    params: celValue(params ?? null, undefined),
    namespaceObject: celValue(home ?? null, undefined),
    variables,
  };
  for (const { name, program } of named) {
    let known: { readonly value: unknown } | undefined;
    const get = () => (known ??= { value: program().evaluate(values) }).value;
    Object.defineProperty(variables, name, { enumerable: true, get });
  }
  return values;
}

/** The request in the words of an AdmissionReview. */
export function describeRequest({ type, subresource, namespace, name, operation, user, isDryRun }: AdmissionRequest) {
  const { group, version, kind, resource } = type;
  return {
    kind: { group, version, kind },
    resource: { group, version, resource },
    subResource: subresource ?? '',
    requestKind: { group, version, kind },
    requestResource: { group, version, resource },
    requestSubResource: subresource ?? '',
    name,
    namespace: namespace ?? '',
    operation,
    userInfo: { username: user.username, uid: user.uid ?? '', groups: user.groups, extra: user.extra ?? {} },
    dryRun: isDryRun,
  };
}

/** What is wrong with an expression; undefined for one that compiles. */
export function expressionProblem(expression: string): string | undefined {
  try {
    compileCel(expression, policyVariables);
    return undefined;
  } catch (error) {
    if (error instanceof CelError) return `compilation failed: ERROR: <input>: ${messageOf(error)}`;
    throw error;
  }
}
