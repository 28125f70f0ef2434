import { compilePolicy, parsePolicy, PolicyFault, type PolicyUse } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import type { Directory } from './directory.ts';
import { policyDocument } from './grants.ts';
import { findRole } from './identities.ts';
import { noSuchEntity } from './names.ts';
import type { PolicyHolder } from './records.ts';

/** Throws `MalformedPolicyDocument` unless `document` is a policy of its kind. Answers the document. */
export function checkPolicy(document: string, use: PolicyUse): string {
  try {
    compilePolicy(document, use);
    return document;
  } catch (error) {
    if (error instanceof PolicyFault) throw malformed(error.message, error);
    throw error;
  }
}

const MAX_TRUST_POLICY_SIZE = 2048;

/** A trust policy, every user and role of which must exist. */
export function checkTrustPolicy(document: string, directory: Directory): string {
  checkPolicy(document, 'trust');
  checkSize(document, MAX_TRUST_POLICY_SIZE, 'ACLSizePerRole');
  for (const { principal } of parsePolicy(document, 'trust').statements)
    for (const name of typeof principal === 'object' ? (principal['AWS'] ?? []) : [])
      if (!isKnownPrincipal(name, directory)) throw malformed(`Invalid principal in policy: "AWS":"${name}"`);
  return document;
}

function isKnownPrincipal(name: string, directory: Directory): boolean {
  if (name === '*' || /^\d{12}$/.test(name) || /^arn:aws:iam::\d{12}:root$/.test(name)) return true;
  if (/^arn:aws:sts::\d{12}:assumed-role\//.test(name)) return true;
  const user = /^arn:aws:iam::(\d{12}):user\/(?:.*\/)?([^/]+)$/.exec(name);
  return user ? directory.users.get(user[1]!, user[2]!) !== undefined : findRole(directory, name) !== undefined;
}

function malformed(message: string, cause?: unknown): AwsError {
  return new AwsError('MalformedPolicyDocumentException', message, { cause });
}

/** Throws `LimitExceeded` for policies that are too long together; white space does not count. */
export function checkSize(documents: string, limit: number, quota: string): void {
  if (documents.replace(/\s/g, '').length > limit) throw limitExceeded(quota, limit);
}

export function limitExceeded(quota: string, limit: number): AwsError {
  return new AwsError('LimitExceededException', `Cannot exceed quota for ${quota}: ${limit}`);
}

export function deleteConflict(reason: string): AwsError {
  return new AwsError('DeleteConflictException', `Cannot delete entity, must ${reason} first.`);
}

/** Throws `DeleteConflict` while an identity still has policies. */
export function checkHoldsNothing(holder: PolicyHolder): void {
  if (holder.attachedPolicies.length) throw deleteConflict('detach all policies');
  if (Object.keys(holder.inlinePolicies).length) throw deleteConflict('delete policies');
}

/** The ARN of a managed policy that exists and is the account's own or AWS's. */
export function checkPolicyArn(arn: string, account: string, directory: Directory): string {
  const owner = /^arn:aws:iam::(aws|\d{12}):policy\/.+/.exec(arn)?.[1];
  if (owner === undefined) throw new AwsError('InvalidInputException', `ARN ${arn} is not valid.`);
  if ((owner !== 'aws' && owner !== account) || policyDocument(directory, arn) === undefined)
    throw new AwsError('NoSuchEntityException', `Policy ${arn} does not exist or is not attachable.`);
  return arn;
}

/** Throws `NoSuchEntity` when there is no record. */
export function mustExist<T>(record: T | undefined, what: string, name: string): T {
  if (record === undefined) throw noSuchEntity(what, name);
  return record;
}
