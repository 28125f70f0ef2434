import type { Command } from './instruction.ts';

/** The JSON form is one only if it parses as an array of strings; anything else is for the shell. */
export function readCommand(text: string): Command {
  const args = jsonStrings(text);
  return args ? { form: 'exec', args } : { form: 'shell', text };
}

/** The strings of a JSON array, or undefined if `text` is anything else. */
export function jsonStrings(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
