import type { Member, Shape, Structure } from '../wire/index.ts';

const HIDDEN = 'HIDDEN_DUE_TO_SECURITY_REASONS';
/** Input or output as a CloudTrail record shows it: names begin in lower case, secrets are hidden, bytes are left out. */
export function auditParameters(shape: Shape, value: Structure | undefined): unknown {
  if (!value || shape.kind !== 'structure') return null;
  const shown = show(shape, value) as Structure;
  return Object.keys(shown).length ? shown : null;
}

function show(shape: Shape, value: unknown, member?: Member): unknown {
  if (value === undefined || value === null) return undefined;
  if (member?.isSensitive) return HIDDEN;
  switch (shape.kind) {
    case 'structure':
      return Object.fromEntries(
        shape.members.flatMap((one) => {
          const shown = show(one.shape, (value as Structure)[one.name], one);
          return shown === undefined ? [] : [[lowerFirst(one.name), shown]];
        }),
      );
    case 'list':
      return (value as readonly unknown[]).map((item) => show(shape.item.shape, item, shape.item));
    case 'map':
      return Object.fromEntries(
        Object.entries(value as Structure).map(([key, item]) => [key, show(shape.value.shape, item, shape.value)]),
      );
    case 'blob':
      return undefined;
    case 'bigint':
      return Number(value);
    default:
      return value;
  }
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
