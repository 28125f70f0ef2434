/** A policy document as JSON says it, checked against the grammar (IAM User Guide, "Grammar of the IAM JSON policy language"). */
export interface PolicyDocument {
  readonly version: '2008-10-17' | '2012-10-17';
  readonly statements: readonly PolicyStatement[];
}

export interface PolicyStatement {
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  readonly principal: PrincipalElement | undefined;
  readonly notPrincipal: PrincipalElement | undefined;
  readonly actions: readonly string[] | undefined;
  readonly notActions: readonly string[] | undefined;
  readonly resources: readonly string[] | undefined;
  readonly notResources: readonly string[] | undefined;
  readonly conditions: readonly PolicyCondition[];
}

/** `*`, or lists by kind: `{ AWS: […], Service: […] }`. */
export type PrincipalElement = '*' | { readonly [kind: string]: readonly string[] };

export interface PolicyCondition {
  /** With its set prefix and `IfExists`: `ForAnyValue:StringLikeIfExists`. */
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** The document is not a policy, or not one of the kind asked for. Services answer `MalformedPolicyDocument`. */
export class PolicyFault extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PolicyFault';
  }
}

/** What a policy is attached to: an identity (no principal, resources needed) or a resource (principal needed). A trust policy has no resource. */
export type PolicyUse = 'identity' | 'resource' | 'trust';

const versions = ['2008-10-17', '2012-10-17'] as const;

/** Reads and checks a document. Throws `PolicyFault` with a message fit for the caller. */
export function parsePolicy(text: string, use: PolicyUse): PolicyDocument {
  const document = onlyFields(jsonObject(text), ['Version', 'Id', 'Statement'], 'policy');
  const version = document['Version'] ?? '2008-10-17';
  if (!versions.includes(version as (typeof versions)[number]))
    throw new PolicyFault('Policy document must be version 2012-10-17 or greater.');
  const statements = asArray(document['Statement']).map((statement) => parseStatement(statement, use));
  if (!statements.length) throw new PolicyFault('Syntax errors in policy: a policy must have a statement.');
  return { version: version as PolicyDocument['version'], statements };
}

function jsonObject(text: string): { readonly [name: string]: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new PolicyFault('This policy contains invalid Json', { cause: error });
  }
  throw new PolicyFault('Syntax errors in policy: a policy is a JSON object.');
}

const statementFields = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];

function parseStatement(value: unknown, use: PolicyUse): PolicyStatement {
  if (!isObject(value)) throw new PolicyFault('Syntax errors in policy: a statement is a JSON object.');
  onlyFields(value, statementFields, 'statement');
  const { Sid: sid, Effect: effect } = value;
  if (sid !== undefined && typeof sid !== 'string') throw new PolicyFault('Syntax errors in policy: Sid is a string.');
  if (effect !== 'Allow' && effect !== 'Deny') throw new PolicyFault(`Invalid effect: ${JSON.stringify(effect)}`);
  const statement: PolicyStatement = {
    sid,
    effect,
    principal: parsePrincipal(value['Principal']),
    notPrincipal: parsePrincipal(value['NotPrincipal']),
    actions: strings(value['Action'], 'Action'),
    notActions: strings(value['NotAction'], 'NotAction'),
    resources: strings(value['Resource'], 'Resource'),
    notResources: strings(value['NotResource'], 'NotResource'),
    conditions: parseConditions(value['Condition']),
  };
  checkElements(statement, use);
  return statement;
}

function checkElements(statement: PolicyStatement, use: PolicyUse): void {
  const { actions, notActions, resources, notResources, principal, notPrincipal } = statement;
  if ((actions === undefined) === (notActions === undefined))
    throw new PolicyFault('Policy statement must contain actions.');
  for (const action of actions ?? notActions ?? [])
    if (action !== '*' && !/^[a-zA-Z0-9-]+:[^:\s]+$/.test(action))
      throw new PolicyFault('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
  if (use === 'identity' && (principal ?? notPrincipal) !== undefined)
    throw new PolicyFault('Policy document should not specify a principal.');
  if (use !== 'identity' && (principal === undefined) === (notPrincipal === undefined))
    throw new PolicyFault('Missing required field Principal');
  if (use === 'trust') {
    if ((resources ?? notResources) !== undefined) throw new PolicyFault('Has prohibited field Resource');
    return;
  }
  if ((resources === undefined) === (notResources === undefined))
    throw new PolicyFault('Policy statement must contain resources.');
  for (const resource of resources ?? notResources ?? [])
    if (resource !== '*' && !resource.startsWith('arn:') && !/^[*?]|^\$\{/.test(resource))
      throw new PolicyFault(`Resource ${resource} must be in ARN format or "*".`);
}

function parsePrincipal(value: unknown): PrincipalElement | undefined {
  if (value === undefined) return undefined;
  if (value === '*') return '*';
  if (!isObject(value)) throw new PolicyFault(`Invalid principal in policy: ${JSON.stringify(value)}`);
  onlyFields(value, ['AWS', 'Service', 'Federated', 'CanonicalUser'], 'principal');
  return Object.fromEntries(
    Object.entries(value).map(([kind, names]) => [kind, strings(names, `Principal ${kind}`) ?? []]),
  );
}

function parseConditions(value: unknown): PolicyCondition[] {
  if (value === undefined) return [];
  if (!isObject(value)) throw new PolicyFault('Syntax errors in policy: Condition is a JSON object.');
  return Object.entries(value).flatMap(([operator, keys]) => {
    if (!isObject(keys)) throw new PolicyFault(`Syntax errors in policy: condition ${operator} is a JSON object.`);
    return Object.entries(keys).map(([key, values]) => ({
      operator,
      key,
      values: asArray(values).map((item) => {
        if (typeof item === 'object')
          throw new PolicyFault(`Syntax errors in policy: condition ${key} has a value that is no scalar.`);
        return typeof item === 'string' ? item : JSON.stringify(item);
      }),
    }));
  });
}

function strings(value: unknown, field: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const list = asArray(value);
  if (!list.length || !list.every((item) => typeof item === 'string'))
    throw new PolicyFault(`Syntax errors in policy: ${field} is a string or a list of strings.`);
  return list;
}

function asArray(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function onlyFields<T extends object>(value: T, allowed: readonly string[], what: string): T {
  const unknown = Object.keys(value).find((field) => !allowed.includes(field));
  if (unknown !== undefined) throw new PolicyFault(`Syntax errors in policy: a ${what} has no field ${unknown}.`);
  return value;
}
