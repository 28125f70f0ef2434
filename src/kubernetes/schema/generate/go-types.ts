/**
 * The struct types of a Go program, as its reflection data describes them: fields, their tags and types. Kubernetes publishes its API types as Go structs whose tags carry
 * the JSON name, the protobuf number and the strategic merge key, and every program that speaks the API carries them.
 *
 * Layout: Go 1.24 `internal/abi`, "Type", "StructType", "Name". It is not a promised format; `generate.ts` checks that what it reads makes sense.
 */
import type { Executable } from './elf.ts';

export type GoKind = 'bool' | 'int32' | 'int64' | 'byte' | 'float' | 'string' | 'interface' | 'other';

export type GoType =
  | { readonly kind: GoKind; readonly name: string; readonly packagePath: string }
  | { readonly kind: 'pointer'; readonly element: GoType }
  | { readonly kind: 'slice'; readonly element: GoType; readonly name: string; readonly packagePath: string }
  | { readonly kind: 'map'; readonly element: GoType }
  | { readonly kind: 'struct'; readonly name: string; readonly packagePath: string };

export interface GoField {
  readonly name: string;
  readonly isEmbedded: boolean;
  /** `json`, `protobuf`, `patchStrategy`, `patchMergeKey` → text. */
  readonly tags: ReadonlyMap<string, string>;
  readonly type: GoType;
}

export interface GoStruct {
  readonly packagePath: string;
  readonly name: string;
  readonly fields: readonly GoField[];
}

/** The numbers of `reflect.Kind`. */
const kinds: { readonly [number: number]: GoKind | 'array' | 'map' | 'pointer' | 'slice' | 'struct' } = {
  1: 'bool',
  2: 'int64',
  5: 'int32',
  6: 'int64',
  8: 'byte',
  13: 'float',
  14: 'float',
  20: 'interface',
  21: 'map',
  22: 'pointer',
  23: 'slice',
  24: 'string',
  25: 'struct',
};
const flags = { hasUncommon: 1, hasExtraStar: 2 };
const nameFlags = { hasTag: 2, isEmbedded: 8 };
/** Where the part of a type that says its package begins, behind what its kind adds. */
const uncommonAt: { readonly [kind: string]: number } = { pointer: 56, slice: 56, struct: 80, map: 104 };
const plainSize = 48;

/** The named struct types of the packages that `wants`, in the program's order. */
export function readGoStructs(program: Executable, wants: (packagePath: string) => boolean): readonly GoStruct[] {
  const reader = new Reader(program);
  const links = program.section('.typelink');
  const structs: GoStruct[] = [];
  for (let at = links.offset; at < links.offset + links.size; at += 4) {
    // Links lead to unnamed types alone; a struct is found behind the pointer to it.
    const pointer = reader.types + program.bytes.readInt32LE(at);
    if (reader.kindOf(pointer) !== 'pointer') continue;
    const target = reader.elementOf(pointer);
    if (reader.kindOf(target) !== 'struct') continue;
    const packagePath = reader.packageOf(target);
    if (wants(packagePath)) structs.push({ packagePath, name: reader.nameOf(target), fields: reader.fieldsOf(target) });
  }
  return structs;
}

class Reader {
  readonly #program: Executable;
  /** The address that offsets of types and names count from. */
  readonly types: number;

  constructor(program: Executable) {
    this.#program = program;
    this.types = program.section('.rodata').address;
  }

  kindOf(type: number) {
    return kinds[this.#program.bytes[this.#at(type) + 23]! & 31] ?? 'other';
  }

  elementOf(type: number): number {
    return this.#program.wordAt(this.#at(type) + plainSize);
  }

  nameOf(type: number): string {
    const at = this.#at(type);
    const { name } = this.#name(this.#at(this.types + this.#program.bytes.readInt32LE(at + 40)));
    const full = this.#program.bytes[at + 20]! & flags.hasExtraStar ? name.slice(1) : name;
    return full.slice(full.lastIndexOf('.') + 1);
  }

  packageOf(type: number): string {
    const at = this.#at(type);
    if (!(this.#program.bytes[at + 20]! & flags.hasUncommon)) return '';
    const path = this.#program.bytes.readInt32LE(at + (uncommonAt[this.kindOf(type)] ?? plainSize));
    return path ? this.#name(this.#at(this.types + path)).name : '';
  }

  fieldsOf(struct: number): readonly GoField[] {
    const at = this.#at(struct);
    const first = this.#program.wordAt(at + 56);
    const count = this.#program.wordAt(at + 64);
    return Array.from({ length: count }, (_, index) => {
      const field = this.#at(first + index * 24);
      const { name, tag, isEmbedded } = this.#name(this.#at(this.#program.wordAt(field)));
      return { name, isEmbedded, tags: parseTags(tag), type: this.#typeOf(this.#program.wordAt(field + 8)) };
    });
  }

  #typeOf(type: number): GoType {
    const kind = this.kindOf(type);
    const named = () => ({ name: this.nameOf(type), packagePath: this.packageOf(type) });
    switch (kind) {
      case 'pointer':
        return { kind, element: this.#typeOf(this.elementOf(type)) };
      case 'slice':
        return { kind, element: this.#typeOf(this.elementOf(type)), ...named() };
      case 'map':
        return { kind, element: this.#typeOf(this.#program.wordAt(this.#at(type) + plainSize + 8)) };
      case 'array':
        return { kind: 'other', ...named() };
      default:
        return { kind, ...named() };
    }
  }

  #at(address: number): number {
    return this.#program.offsetOf(address);
  }

  #name(at: number): { readonly name: string; readonly tag: string; readonly isEmbedded: boolean } {
    const bits = this.#program.bytes[at]!;
    const name = this.#text(at + 1);
    const tag = bits & nameFlags.hasTag ? this.#text(name.end).text : '';
    return { name: name.text, tag, isEmbedded: (bits & nameFlags.isEmbedded) !== 0 };
  }

  /** A string behind its length, which is a varint. */
  #text(at: number): { readonly text: string; readonly end: number } {
    let size = 0;
    let start = at;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#program.bytes[start]!;
      start += 1;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    return { text: this.#program.bytes.toString('utf8', start, start + size), end: start + size };
  }
}

/** `json:"a,omitempty" protobuf:"bytes,1,opt"` by key. */
function parseTags(tag: string): ReadonlyMap<string, string> {
  return new Map(Array.from(tag.matchAll(/(\w+):"((?:[^"\\]|\\.)*)"/g), (match) => [match[1]!, match[2]!]));
}
