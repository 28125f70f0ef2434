import { readTags, type Tags } from '../tags.ts';

/** Tags as EKS has them on the wire: a map. Throws `InvalidParameterException` for what no service accepts. */
export function tagsOf(map: Readonly<Record<string, string>> | undefined): Tags {
  return readTags(Object.entries(map ?? {}).map(([key, value]) => ({ key, value })));
}
