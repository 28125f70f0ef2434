import { readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { systemCode } from '#base';

/** The names of what is in a directory; none when it is not there. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    return noneIfAbsent(error);
  }
}

/** `namesIn` without letting others go on meanwhile. */
export function namesInSync(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    return noneIfAbsent(error);
  }
}

function noneIfAbsent(error: unknown): readonly [] {
  if (systemCode(error) === 'ENOENT') return [];
  throw error;
}
