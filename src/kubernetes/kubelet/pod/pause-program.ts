/**
 * The first process of a pod whose containers share one process namespace: it takes in whom others leave behind, and waits. Made here, for no image brings it and it must run in
 * all of them: an ELF executable without a section (elf(5)), whose code is `sigaction(SIGCHLD, SIG_IGN)`, by which the kernel reaps for it (wait(2), "Notes"), then `pause` for ever.
 */
const [elfHeaderBytes, programHeaderBytes] = [64, 56] as const;
const loadAddress = 0x400000n;

/** `struct kernel_sigaction` with SIG_IGN as its handler. */
const ignore = Buffer.from([1, ...Buffer.alloc(31)]);

/** Code with `ignore` behind it, and its number among machines (`e_machine`). */
const machines: { readonly [architecture: string]: { readonly machine: number; readonly code: Buffer } } = {
  x64: { machine: 62, code: x64Code() },
  arm64: { machine: 183, code: arm64Code() },
};

/** The executable for an architecture as `process.arch` names it. */
export function pauseProgram(architecture: string): Buffer {
  const target = machines[architecture];
  if (!target) throw new Error(`there is no pause program for ${architecture}`);
  const code = Buffer.concat([target.code, ignore]);
  const codeAt = elfHeaderBytes + programHeaderBytes;
  const header = Buffer.alloc(codeAt);
  // Identification: 64 bits, little endian, version 1.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(target.machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(loadAddress + BigInt(codeAt), 24);
  header.writeBigUInt64LE(BigInt(elfHeaderBytes), 32);
  header.writeUInt16LE(elfHeaderBytes, 52);
  header.writeUInt16LE(programHeaderBytes, 54);
  header.writeUInt16LE(1, 56);
  const size = BigInt(codeAt + code.length);
  header.writeUInt32LE(1, 64); // PT_LOAD
  header.writeUInt32LE(5, 68); // readable, executable
  for (const [index, value] of [0n, loadAddress, loadAddress, size, size, 0x10000n].entries())
    header.writeBigUInt64LE(value, 72 + index * 8);
  return Buffer.concat([header, code]);
}

function x64Code(): Buffer {
  return Buffer.from(
    [
      [0xb8, 13, 0, 0, 0], // mov eax, rt_sigaction
      [0xbf, 17, 0, 0, 0], // mov edi, SIGCHLD
      [0x48, 0x8d, 0x35, 19, 0, 0, 0], // lea rsi, [rip + to ignore]
      [0x31, 0xd2], // xor edx, edx
      [0x41, 0xba, 8, 0, 0, 0], // mov r10d, 8
      [0x0f, 0x05], // syscall
      [0xb8, 34, 0, 0, 0], // mov eax, pause
      [0x0f, 0x05], // syscall
      [0xeb, 0xf7], // jmp to the mov before
    ].flat(),
  );
}

function arm64Code(): Buffer {
  const move = (register: number, value: number) => 0xd2800000 + value * 32 + register;
  const svc = 0xd4000001;
  const words = [
    move(8, 134), // rt_sigaction
    move(0, 17), // SIGCHLD
    0x10000001 + ((11 * 4) >> 2) * 32, // adr x1, ignore: eleven instructions on
    move(2, 0),
    move(3, 8),
    svc,
    move(0, 0),
    move(1, 0),
    move(2, 0),
    move(3, 0),
    move(8, 73), // ppoll, since there is no pause
    svc,
    0x17fffffa, // b, six instructions back
  ];
  const code = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) code.writeUInt32LE(word, index * 4);
  return code;
}
