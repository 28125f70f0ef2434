import { base64, formatOf, formatTimestamp } from './json-values.ts';
import type { Structure } from './message.ts';
import type { MapShape, Member, Shape } from './schema.ts';

const escapes: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#xD;',
};

/** Control characters but tab and line ends, and the two non-characters. */
const forbidden = /[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu;
const special = /[&<>"\ufffe\uffff]|[^\P{Cc}\t\n]/u;

/** Text for between two tags. Characters that XML 1.0 cannot carry at all become U+FFFD. */
export function escapeXml(text: string): string {
  if (!special.test(text)) return text;
  return text.replace(/[&<>"\r]/g, (character) => escapes[character]!).replace(forbidden, '\ufffd');
}

/** What stands inside the element of a value. */
export function writeXml(shape: Shape, value: unknown, member?: Member): string {
  switch (shape.kind) {
    case 'structure': {
      let text = '';
      for (const member of shape.members) {
        const item = (value as Structure)[member.name];
        if (item !== undefined && item !== null) text += element(member, item);
      }
      return text;
    }
    case 'list': {
      const tag = shape.item.xmlName ?? 'member';
      let text = '';
      for (const item of value as readonly unknown[])
        text += `<${tag}>${writeXml(shape.item.shape, item, shape.item)}</${tag}>`;
      return text;
    }
    case 'map': {
      let text = '';
      for (const [key, item] of Object.entries(value as Structure)) text += `<entry>${entry(shape, key, item)}</entry>`;
      return text;
    }
    case 'timestamp':
      return String(formatTimestamp(value as Date, formatOf(member, shape.format, 'date-time')));
    case 'blob':
      return base64(value as Uint8Array | string);
    case 'none':
      return '';
    default:
      return escapeXml(String(value));
  }
}

/** A member with its tags; a flattened list or map has one element an item instead of one around all. */
function element(member: Member, value: unknown): string {
  const tag = member.xmlName ?? member.name;
  const { shape } = member;
  if (shape.kind === 'list' && (member.isFlattened || shape.isFlattened))
    return (value as readonly unknown[])
      .map((item) => `<${tag}>${writeXml(shape.item.shape, item, shape.item)}</${tag}>`)
      .join('');
  if (shape.kind === 'map' && (member.isFlattened || shape.isFlattened))
    return Object.entries(value as Structure)
      .map(([key, item]) => `<${tag}>${entry(shape, key, item)}</${tag}>`)
      .join('');
  return `<${tag}>${writeXml(shape, value, member)}</${tag}>`;
}

function entry(shape: MapShape, key: string, value: unknown): string {
  const keyTag = shape.mapKey.xmlName ?? 'key';
  const valueTag = shape.value.xmlName ?? 'value';
  return `<${keyTag}>${escapeXml(key)}</${keyTag}><${valueTag}>${writeXml(shape.value.shape, value, shape.value)}</${valueTag}>`;
}
