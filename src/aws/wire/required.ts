import type { Structure } from './message.ts';
import type { Shape } from './schema.ts';

/**
 * The path of the first required member that a value lacks (`taskDefinition.family`), or undefined. Client tokens never count: clients that
 * fill them in do so themselves, and the others go without.
 */
export function missingMember(shape: Shape, value: unknown, path = ''): string | undefined {
  if (value === undefined || value === null) return undefined;
  switch (shape.kind) {
    case 'structure':
      for (const member of shape.members) {
        const at = path ? `${path}.${member.name}` : member.name;
        const item = (value as Structure)[member.name];
        if (item === undefined) {
          if (member.isRequired && !member.isIdempotencyToken) return at;
        } else {
          const missing = missingMember(member.shape, item, at);
          if (missing) return missing;
        }
      }
      return undefined;
    case 'list':
      return firstMissing((value as readonly unknown[]).entries(), (item, index) =>
        missingMember(shape.item.shape, item, `${path}[${index}]`),
      );
    case 'map':
      return firstMissing(Object.entries(value), (item, key) =>
        missingMember(shape.value.shape, item, `${path}.${key}`),
      );
    default:
      return undefined;
  }
}

function firstMissing<Key>(
  entries: Iterable<readonly [Key, unknown]>,
  check: (item: unknown, key: Key) => string | undefined,
): string | undefined {
  for (const [key, item] of entries) {
    const missing = check(item, key);
    if (missing) return missing;
  }
  return undefined;
}
