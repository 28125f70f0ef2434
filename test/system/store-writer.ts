/**
 * Writes to the store in the directory it is given, with many writers, and prints each revision once it is acknowledged. Is killed.
 *   store-writer.ts directory journalBytes writers
 */
import { writeSync } from 'node:fs';
import { systemClock, systemCode } from '#base';
import { openSqliteStore } from '#store';

const [directory, journalBytes, writers] = process.argv.slice(2);
const standing = new Int32Array(new SharedArrayBuffer(4));
const store = openSqliteStore({ directory: directory!, clock: systemClock, journalBytes: Number(journalBytes) });

async function write(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const value = Buffer.from(`${process.pid}/${writer}/${n}`);
    const { revision } = await store.txn({
      success: [
        { kind: 'put', key: `writers/${writer}`, value },
        { kind: 'put', key: `log/${process.pid}/${writer}/${n}`, value },
      ],
    });
    tell(`${revision} ${writer} ${n}\n`);
  }
}

/** Straight to the pipe: what the parent has read was acknowledged, whatever happens next. Stands still while the parent does not read. */
function tell(line: string): void {
  const bytes = Buffer.from(line);
  for (let written = 0; written < bytes.length;)
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN') throw error;
      Atomics.wait(standing, 0, 0, 1);
    }
}

void Array.from({ length: Number(writers) }, (_, writer) => write(writer));
