import type { ByteName } from './names.ts';
import { type Field, type TarType, tarFault, typeFlags } from './tar-header.ts';

/** A name field: bytes up to the first NUL or its end. */
export function nameField(block: Buffer, [offset, length]: Field): ByteName {
  const nul = block.indexOf(0, offset);
  return block.toString('latin1', offset, nul < 0 ? offset + length : Math.min(nul, offset + length));
}

/** A number field: octal digits between blanks, or base-256 two's complement when the first bit is set (GNU). */
export function numberField(block: Buffer, [offset, length]: Field): number {
  if (block[offset]! & 0x80) return binary(block, offset, length);
  let value = 0;
  let isInNumber = false;
  for (let index = offset; index < offset + length; index++) {
    const byte = block[index]!;
    if (byte >= 0x30 && byte <= 0x37) {
      value = value * 8 + byte - 0x30;
      isInNumber = true;
    } else if (byte === 0 || (byte === 0x20 && isInNumber)) break;
    else if (byte !== 0x20) throw tarFault(`a number field holds byte ${byte}`);
  }
  return value;
}

function binary(block: Buffer, offset: number, length: number): number {
  const isNegative = (block[offset]! & 0x40) !== 0;
  let value = BigInt(block[offset]! & (isNegative ? 0xff : 0x7f));
  for (let index = offset + 1; index < offset + length; index++) value = (value << 8n) | BigInt(block[index]!);
  const number = Number(isNegative ? BigInt.asIntN(length * 8, value) : value);
  if (!Number.isSafeInteger(number)) throw tarFault(`a number field holds ${number}`);
  return number;
}

const types = new Map(Object.entries(typeFlags).map(([type, flag]) => [flag, type as TarType]));

/** The kind of a member. Old archives mark a directory by the slash its name ends in. */
export function typeOf(flag: string, name: ByteName): TarType {
  if (flag === '\0') return name.endsWith('/') ? 'directory' : 'file';
  if (flag === '7') return 'file';
  if (flag === 'S') throw tarFault('sparse members are not supported');
  const type = types.get(flag);
  if (type === undefined) throw tarFault(`a member of unknown type ${JSON.stringify(flag)}`);
  return type;
}
