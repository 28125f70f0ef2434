import { AwsError } from '../../errors.ts';
import { invalidParameter } from '../validation.ts';

/** Which images a rule is about, and which of them go. ECR User Guide, "Lifecycle policy properties in Amazon ECR". */
export interface LifecycleRule {
  readonly priority: number;
  readonly tagStatus: 'tagged' | 'untagged' | 'any';
  /** An image has a tag for each of them. `*` stands for any characters. */
  readonly tagPatterns: readonly string[];
  readonly count:
    | { readonly kind: 'more-than'; readonly images: number }
    | { readonly kind: 'pushed' | 'pulled'; readonly days: number };
}

/** API reference, `PutLifecyclePolicy`: lengths of `lifecyclePolicyText`. */
const [SHORTEST, LONGEST] = [100, 30_720];
const MAX_RULES = 50;
const MAX_WILDCARDS = 4;

/** Reads a policy's text, its rules in the order in which they are applied. Throws `InvalidParameterException`. */
export function parseLifecyclePolicy(text: string | undefined): readonly LifecycleRule[] {
  if (text === undefined || text.length < SHORTEST || text.length > LONGEST)
    throw invalidParameter('LifecyclePolicyText', `its length must be between ${SHORTEST} and ${LONGEST}`);
  const { rules } = objectFrom(parseJson(text), 'policy');
  if (!Array.isArray(rules) || !rules.length || rules.length > MAX_RULES)
    throw invalid(`it must have between 1 and ${MAX_RULES} rules`);
  const read = rules.map(readRule).toSorted((a, b) => a.priority - b.priority);
  if (new Set(read.map(({ priority }) => priority)).size < read.length)
    throw invalid('each rule must have a rulePriority of its own');
  if (read.slice(0, -1).some(({ tagStatus }) => tagStatus === 'any'))
    throw invalid('a rule with tagStatus "any" must have the highest rulePriority');
  if (read.filter(({ tagStatus, count }) => tagStatus === 'untagged' && count.kind !== 'more-than').length > 1)
    throw invalid('only one rule may be about untagged images');
  return read;
}

function readRule(value: unknown): LifecycleRule {
  const { rulePriority, selection, action, description } = objectFrom(value, 'rule');
  if (!Number.isInteger(rulePriority) || Number(rulePriority) < 1)
    throw invalid('rulePriority must be a number of at least 1');
  if (description !== undefined && typeof description !== 'string') throw invalid('description must be a text');
  const { type } = objectFrom(action, 'action');
  if (type === 'transition')
    throw new AwsError('UnsupportedOperation', 'Images cannot be archived: the action "transition" is not supported', {
      status: 501,
    });
  if (type !== 'expire') throw invalid('the type of an action must be "expire"');
  const selected = objectFrom(selection, 'selection');
  const { tagStatus } = selected;
  if (tagStatus !== 'tagged' && tagStatus !== 'untagged' && tagStatus !== 'any')
    throw invalid('tagStatus must be "tagged", "untagged" or "any"');
  const tagPatterns = patternsOf(selected);
  if (tagPatterns.length > 0 !== (tagStatus === 'tagged'))
    throw invalid('tagPrefixList or tagPatternList go with tagStatus "tagged", and it with one of them');
  return { priority: Number(rulePriority), tagStatus, tagPatterns, count: countOf(selected) };
}

type Members = { readonly [member: string]: unknown };

function patternsOf({ tagPrefixList, tagPatternList }: Members): readonly string[] {
  if (tagPrefixList !== undefined && tagPatternList !== undefined)
    throw invalid('only one of tagPrefixList and tagPatternList may be given');
  const list = tagPrefixList ?? tagPatternList ?? [];
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string' && one !== ''))
    throw invalid('tagPrefixList and tagPatternList are lists of texts');
  const texts = list as readonly string[]; // as was just seen
  if (tagPrefixList !== undefined) return texts.map((prefix) => `${prefix}*`);
  if (texts.some((pattern) => pattern.split('*').length - 1 > MAX_WILDCARDS))
    throw invalid(`a pattern has at most ${MAX_WILDCARDS} wildcards`);
  return texts;
}

function countOf({ countType, countNumber, countUnit }: Members): LifecycleRule['count'] {
  if (!Number.isInteger(countNumber) || Number(countNumber) < 1)
    throw invalid('countNumber must be a number of at least 1');
  const number = Number(countNumber);
  if (countType === 'imageCountMoreThan') {
    if (countUnit !== undefined) throw invalid('countUnit does not go with imageCountMoreThan');
    return { kind: 'more-than', images: number };
  }
  if (countType !== 'sinceImagePushed' && countType !== 'sinceImagePulled')
    throw invalid('countType must be "imageCountMoreThan", "sinceImagePushed" or "sinceImagePulled"');
  if (countUnit !== 'days') throw invalid(`countUnit must be "days" with ${countType}`);
  return { kind: countType === 'sinceImagePushed' ? 'pushed' : 'pulled', days: number };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(error.message);
    throw error;
  }
}

function objectFrom(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`a ${what} must be an object`);
  return value as Members; // any object may be asked for its members
}

function invalid(why: string): AwsError {
  return invalidParameter('LifecyclePolicyText', `Lifecycle policy validation failure: ${why}`);
}
