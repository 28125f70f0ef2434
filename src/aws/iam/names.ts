import { formatArn, type AccountId, type Arn, type Random } from '#base';
import { AwsError } from '../errors.ts';

/** Prefixes of unique ids (IAM User Guide, "IAM identifiers"). */
export type IdPrefix = 'AIDA' | 'AROA' | 'AGPA' | 'ANPA' | 'AIPA' | 'AKIA' | 'ASIA';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const SECRET_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** 21 characters, or 20 for an access key. */
export function newId(random: Random, prefix: IdPrefix): string {
  return prefix + random.text(prefix === 'AKIA' || prefix === 'ASIA' ? 16 : 17, LETTERS);
}

export function newSecret(random: Random): string {
  return random.text(40, SECRET_LETTERS);
}

export type EntityKind = 'user' | 'group' | 'role' | 'policy' | 'instance-profile';

/** IAM is global: its ARNs have no region. */
export function entityArn(
  kind: EntityKind,
  entity: { readonly account: string; readonly path: string; readonly name: string },
): Arn {
  return formatArn({
    service: 'iam',
    region: '',
    account: entity.account,
    resource: `${kind}${entity.path}${entity.name}`,
  });
}

export function rootArn(account: AccountId): Arn {
  return formatArn({ service: 'iam', region: '', account, resource: 'root' });
}

/** A name as IAM takes it. Throws `ValidationError`. */
export function checkName(name: string, member: string, maxLength: number): string {
  if (name.length < 1 || name.length > maxLength || !/^[\w+=,.@-]+$/.test(name))
    throw validation(
      `The specified value for ${member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_- and have at most ${maxLength} of them: "${name.slice(0, 200)}"`,
    );
  return name;
}

/** A path, `/` by default. Throws `ValidationError`. */
export function checkPath(path = '/'): string {
  if (path.length > 512 || !/^\/([!-~]+\/)?$/.test(path))
    throw validation(
      'The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.',
    );
  return path;
}

export function validation(message: string): AwsError {
  return new AwsError('ValidationError', message, { status: 400 });
}

export function noSuchEntity(what: string, name: string): AwsError {
  return new AwsError('NoSuchEntityException', `The ${what} with name ${name} cannot be found.`);
}

export function alreadyExists(what: string, name: string): AwsError {
  return new AwsError('EntityAlreadyExistsException', `${what} with name ${name} already exists.`);
}
