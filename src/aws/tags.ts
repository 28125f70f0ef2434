import { AwsError } from './errors.ts';
import type { ConditionContext } from './service.ts';

/** Tags of a resource, by key. One form inside; the wire has three (`{key,value}`, `{Key,Value}`, a map). */
export type Tags = { readonly [key: string]: string };

type WireTag =
  | { readonly key?: string | undefined; readonly value?: string | undefined }
  | { readonly Key?: string | undefined; readonly Value?: string | undefined };

const MAX_TAGS = 50;

/** Reads a list of tags in either case. Throws `AwsError` `code` for what no service accepts. A repeated key keeps its last value. */
export function readTags(list: readonly WireTag[] | undefined, code = 'InvalidParameterException'): Tags {
  const tags: Record<string, string> = {};
  for (const tag of list ?? []) {
    const [key, value = ''] = 'Key' in tag ? [tag.Key, tag.Value] : 'key' in tag ? [tag.key, tag.value] : [];
    if (!key || key.length > 128) throw new AwsError(code, `The tag key "${key ?? ''}" must have 1 to 128 characters.`);
    if (value.length > 256) throw new AwsError(code, `The value of the tag "${key}" has more than 256 characters.`);
    if (/^aws:/i.test(key)) throw new AwsError(code, `The tag key "${key}" begins with "aws:", which is reserved.`);
    tags[key] = value;
  }
  checkTagCount(tags, code);
  return tags;
}

/** `current` with `added` over it. Throws `AwsError` `code` when that makes more than 50. */
export function mergeTags(current: Tags, added: Tags, code = 'InvalidParameterException'): Tags {
  const merged = { ...current, ...added };
  checkTagCount(merged, code);
  return merged;
}

export function withoutTags(current: Tags, keys: readonly string[]): Tags {
  return Object.fromEntries(Object.entries(current).filter(([key]) => !keys.includes(key)));
}

/** `{ key, value }`, as ECS and Logs write tags. */
export function lowerCaseTags(tags: Tags): { key: string; value: string }[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

/** `{ Key, Value }`, as EC2, ECR and IAM write tags. */
export function upperCaseTags(tags: Tags): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** Condition keys of tags that a call brings: `aws:RequestTag/…` and `aws:TagKeys`. */
export function requestTagContext(tags: Tags): ConditionContext {
  const context: Record<string, string | readonly string[]> = { 'aws:TagKeys': Object.keys(tags) };
  for (const [key, value] of Object.entries(tags)) context[`aws:RequestTag/${key}`] = value;
  return context;
}

/** Condition keys of tags that the resource has: `aws:ResourceTag/…`, and the service's own `<service>:ResourceTag/…`. */
export function resourceTagContext(tags: Tags, service?: string): ConditionContext {
  const prefixes = service === undefined ? ['aws'] : ['aws', service];
  return Object.fromEntries(
    prefixes.flatMap((prefix) => Object.entries(tags).map(([key, value]) => [`${prefix}:ResourceTag/${key}`, value])),
  );
}

function checkTagCount(tags: Tags, code: string): void {
  const count = Object.keys(tags).length;
  if (count > MAX_TAGS) throw new AwsError(code, `A resource has at most ${MAX_TAGS} tags, not ${count}.`);
}
