import { parsePolicy, PolicyFault } from '../auth/index.ts';
import { invalidParameter } from './validation.ts';

const LIMIT_LENGTH = 10_240;

/** Checks the text of a repository's policy, whose statements name no resource: it is the repository itself. Throws `InvalidParameterException`. */
export function checkPolicyText(text: string | undefined): string {
  if (!text || text.length > LIMIT_LENGTH)
    throw invalidParameter('PolicyText', `its length must be between 1 and ${LIMIT_LENGTH}`);
  try {
    parsePolicy(documentOf(text), 'resource');
  } catch (error) {
    if (error instanceof PolicyFault || error instanceof SyntaxError)
      throw invalidParameter('PolicyText', `Invalid repository policy provided: ${error.message}`);
    throw error;
  }
  return text;
}

/** The policy as IAM evaluates it, with the repository as the resource of each statement. */
export function documentOf(text: string): string {
  const document: unknown = JSON.parse(text);
  if (typeof document !== 'object' || document === null || !('Statement' in document))
    throw new PolicyFault('a policy is an object with statements');
  const statements = [document.Statement].flat();
  if (statements.some((statement) => typeof statement === 'object' && statement !== null && 'Resource' in statement))
    throw new PolicyFault('a repository policy names no Resource');
  return JSON.stringify({
    ...document,
    Statement: statements.map((statement: unknown) =>
      typeof statement === 'object' && statement !== null ? { ...statement, Resource: '*' } : statement,
    ),
  });
}
