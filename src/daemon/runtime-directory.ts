import { mkdirSync, rmdirSync } from 'node:fs';
import { systemCode } from '#base';

/** Makes the directory of what lives no longer than the machine's boot. Disposing of it removes it when nothing is in it: after a failed start, say. */
export function makeRuntimeDirectory(path: string): Disposable {
  mkdirSync(path, { recursive: true, mode: 0o711 });
  return {
    [Symbol.dispose]: () => {
      try {
        rmdirSync(path);
      } catch (error) {
        if (!['ENOENT', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) throw error;
      }
    },
  };
}
