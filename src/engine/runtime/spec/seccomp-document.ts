import { DabbaError } from '#base';
import type { OciSeccomp } from './oci.ts';
import { seccompArchitectures } from './seccomp-profile.ts';

/** The members of a profile in Docker's JSON (its documentation, "Seccomp security profiles") that we read. */
interface ProfileDocument {
  readonly defaultAction?: unknown;
  readonly defaultErrnoRet?: unknown;
  readonly architectures?: unknown;
  readonly archMap?: unknown;
  readonly syscalls?: unknown;
}

interface ProfileRule {
  readonly names?: readonly string[];
  readonly name?: string;
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: NonNullable<OciSeccomp['syscalls'][number]['args']> | null;
  readonly includes?: RuleCondition;
  readonly excludes?: RuleCondition;
}

interface RuleCondition {
  readonly caps?: readonly string[] | null;
  readonly arches?: readonly string[] | null;
}

/** Go's names, which profiles use, by Node's. */
const goArchitectures: { readonly [architecture: string]: string } = { x64: 'amd64', arm64: 'arm64' };

/**
 * A profile a user wrote, resolved for a container with these capabilities on this architecture (Node's name). Throws `InvalidArgument` for
 * what is no profile; what runc makes of its actions and names is runc's to say.
 */
export function readSeccompProfile(text: string, capabilities: ReadonlySet<string>, architecture: string): OciSeccomp {
  const document = parse(text);
  const { defaultAction, defaultErrnoRet } = document;
  if (typeof defaultAction !== 'string') throw invalid('defaultAction is missing');
  const rules = readRules(document.syscalls);
  const has = ({ caps }: RuleCondition) => (caps ?? []).some((name) => capabilities.has(name));
  const isHere = ({ arches }: RuleCondition) => (arches ?? []).includes(goArchitectures[architecture] ?? architecture);
  const applies = ({ includes = {}, excludes = {} }: ProfileRule) =>
    !has(excludes) &&
    !isHere(excludes) &&
    (!includes.caps?.length || includes.caps.every((name) => capabilities.has(name))) &&
    (!includes.arches?.length || isHere(includes));
  return {
    defaultAction,
    ...(typeof defaultErrnoRet === 'number' && { defaultErrnoRet }),
    architectures: readArchitectures(document) ?? seccompArchitectures[architecture] ?? [],
    syscalls: rules.filter(applies).map(({ names, name, action, errnoRet, args }) => ({
      names: names ?? [name!],
      action,
      ...(errnoRet !== undefined && { errnoRet }),
      ...(args?.length && { args }),
    })),
  };
}

function parse(text: string): ProfileDocument {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw invalid((error as Error).message); // JSON.parse throws SyntaxError
  }
  throw invalid('it is not an object');
}

function readRules(value: unknown): readonly ProfileRule[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid('syscalls is not a list');
  for (const rule of value as Partial<ProfileRule>[]) {
    const names = rule?.names ?? (typeof rule?.name === 'string' ? [rule.name] : undefined);
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
      throw invalid('a rule names no system call');
    if (typeof rule.action !== 'string') throw invalid(`the rule of ${names.join(', ')} has no action`);
  }
  return value as ProfileRule[]; // as just checked
}

/** `architectures`, or those of `archMap` when that is how the profile names them; undefined: the machine's own. */
function readArchitectures({ architectures, archMap }: ProfileDocument): readonly string[] | undefined {
  if (!Array.isArray(architectures) || archMap !== undefined || architectures.length === 0) return undefined;
  if (!architectures.every((name): name is string => typeof name === 'string'))
    throw invalid('architectures are not names');
  return architectures;
}

function invalid(why: string): DabbaError {
  return new DabbaError('InvalidArgument', `Decoding seccomp profile failed: ${why}`);
}
