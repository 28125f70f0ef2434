/** The sections of a 64-bit little-endian ELF file, and its bytes by virtual address. System V ABI, "Object Files". */

export interface Section {
  readonly name: string;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/** An executable in memory. */
export class Executable {
  readonly bytes: Buffer;
  readonly #sections: readonly Section[];

  /** Throws for what is not such a file. */
  constructor(bytes: Buffer) {
    const isElf64 = bytes.readUInt32BE(0) === 0x7f454c46 && bytes[4] === 2 && bytes[5] === 1;
    if (!isElf64) throw new Error('not a 64-bit little-endian ELF file');
    this.bytes = bytes;
    this.#sections = sectionsOf(bytes);
  }

  section(name: string): Section {
    const section = this.#sections.find((one) => one.name === name);
    if (!section) throw new Error(`the executable has no section ${name}`);
    return section;
  }

  /** Where in `bytes` a virtual address lies. */
  offsetOf(address: number): number {
    const section = this.#sections.find((one) => address >= one.address && address < one.address + one.size);
    if (!section) throw new Error(`address 0x${address.toString(16)} is in no section of the executable`);
    return address - section.address + section.offset;
  }

  /** The 64-bit word at an offset of `bytes`. */
  wordAt(offset: number): number {
    return Number(this.bytes.readBigUInt64LE(offset));
  }
}

const headerSize = 64;
const noBits = 8;

function sectionsOf(bytes: Buffer): readonly Section[] {
  const table = Number(bytes.readBigUInt64LE(0x28));
  const count = bytes.readUInt16LE(0x3c);
  const headers = Array.from({ length: count }, (_, index) => table + index * headerSize);
  const namesAt = Number(bytes.readBigUInt64LE(headers[bytes.readUInt16LE(0x3e)]! + 24));
  return headers
    .filter((header) => bytes.readUInt32LE(header + 4) !== noBits)
    .map((header) => {
      const nameAt = namesAt + bytes.readUInt32LE(header);
      return {
        name: bytes.toString('latin1', nameAt, bytes.indexOf(0, nameAt)),
        address: Number(bytes.readBigUInt64LE(header + 16)),
        offset: Number(bytes.readBigUInt64LE(header + 24)),
        size: Number(bytes.readBigUInt64LE(header + 32)),
      };
    });
}
