import { AwsError } from '../errors.ts';
import { parseTimestamp, setOwn } from './json-values.ts';
import type { Structure } from './message.ts';
import type { ListShape, MapShape, Member, Shape } from './schema.ts';

/** The two dialects of the Query protocol: they name members and number lists differently. */
export type QueryDialect = 'query' | 'ec2';

/** A form's keys taken apart at their dots. */
interface FormNode {
  text: string | undefined;
  readonly children: Map<string, FormNode>;
}

/** Real inputs are seldom ten levels deep; hostile ones could make a million maps of one megabyte. */
const MAX_DEPTH = 40;

/** Typed input from a form (`Key.member.1.Name=…`). Throws `MalformedInput` on a value of the wrong type. */
export function readForm(shape: Shape, form: URLSearchParams, dialect: QueryDialect): Structure {
  if (shape.kind !== 'structure') return {};
  return read(shape, treeOf(form), '', { dialect, member: undefined }) as Structure;
}

function treeOf(form: URLSearchParams): FormNode {
  const root: FormNode = { text: undefined, children: new Map() };
  for (const [key, value] of form) {
    let node = root;
    for (const part of key.split('.', MAX_DEPTH)) {
      let child = node.children.get(part);
      if (!child) node.children.set(part, (child = { text: undefined, children: new Map() }));
      node = child;
    }
    node.text = value;
  }
  return root;
}

interface Place {
  readonly dialect: QueryDialect;
  readonly member: Member | undefined;
}

function read(shape: Shape, node: FormNode, path: string, place: Place): unknown {
  const text = node.text ?? '';
  switch (shape.kind) {
    case 'structure': {
      const structure: Structure = {};
      for (const member of shape.members) {
        const child = node.children.get(formName(member, place.dialect));
        if (child)
          structure[member.name] = read(member.shape, child, path ? `${path}.${member.name}` : member.name, {
            ...place,
            member,
          });
      }
      return structure;
    }
    case 'list':
      return readList(shape, node, path, place);
    case 'map':
      return readMap(shape, node, path, place);
    case 'number':
      return text === '' || Number.isNaN(Number(text)) ? wrong(path, text, 'a number') : Number(text);
    case 'bigint':
      return /^-?\d+$/.test(text) ? BigInt(text) : wrong(path, text, 'a whole number');
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : wrong(path, text, 'true or false');
    case 'timestamp':
      return parseTimestamp(text) ?? wrong(path, text, 'a timestamp');
    case 'blob':
      return Buffer.from(text, 'base64');
    case 'none':
      return {};
    default:
      return text;
  }
}

/** In EC2 a member is named by `ec2QueryName`, else by its XML name with a capital. */
function formName(member: Member, dialect: QueryDialect): string {
  if (dialect === 'query') return member.xmlName ?? member.name;
  const name = member.xmlName ?? member.name;
  return member.ec2QueryName ?? name.charAt(0).toUpperCase() + name.slice(1);
}

function readList(shape: ListShape, node: FormNode, path: string, place: Place): unknown[] {
  const isFlat = place.dialect === 'ec2' || place.member?.isFlattened === true || shape.isFlattened;
  const items = isFlat
    ? node
    : (node.children.get(shape.item.xmlName ?? 'member') ?? node.children.get('member') ?? node);
  return numbered(items).map((item, index) =>
    read(shape.item.shape, item, `${path}[${index}]`, { ...place, member: shape.item }),
  );
}

function readMap(shape: MapShape, node: FormNode, path: string, place: Place): Structure {
  const isFlat = place.member?.isFlattened === true || shape.isFlattened;
  const map: Structure = {};
  for (const entry of numbered(isFlat ? node : (node.children.get('entry') ?? node))) {
    const key = entry.children.get(shape.mapKey.xmlName ?? 'key')?.text;
    const value = entry.children.get(shape.value.xmlName ?? 'value');
    if (key !== undefined && value)
      setOwn(map, key, read(shape.value.shape, value, `${path}.${key}`, { ...place, member: shape.value }));
  }
  return map;
}

/** The children `1`, `2`, … in order of their numbers; gaps are closed. */
function numbered(node: FormNode): FormNode[] {
  return [...node.children]
    .filter(([key]) => /^\d+$/.test(key))
    .sort(([first], [second]) => Number(first) - Number(second))
    .map(([, child]) => child);
}

function wrong(path: string, text: string, expected: string): never {
  throw new AwsError('MalformedInput', `${path}: expected ${expected}, not "${text.slice(0, 80)}".`, { status: 400 });
}
