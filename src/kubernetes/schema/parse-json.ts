/** JSON text to values, with the duplicate keys that `JSON.parse` keeps silent about. */
import { strictPath } from './conform.ts';
import type { FieldProblem } from './schema.ts';

export interface Parsed {
  readonly value: unknown;
  readonly duplicates: readonly Duplicate[];
  /** Where in the text a path's key is first, as a number that grows; known only when there are duplicates. */
  readonly placeOf: (path: string) => number;
}

export interface Duplicate extends FieldProblem {
  readonly kind: 'duplicate';
  /** Where its key comes again. */
  readonly place: number;
}

export const nowhere = (): number => 0;

/** Deeper values are hostile; what reads them recurses. */
const deepest = 1000;

/** Throws `SyntaxError` for what is no JSON, or too deep. */
export function parseJson(text: string, { findsDuplicates }: { readonly findsDuplicates: boolean }): Parsed {
  const { keys, depth } = measure(text);
  if (depth > deepest) throw new SyntaxError('exceeded max depth');
  const value: unknown = JSON.parse(text);
  // As many keys in the value as in the text: none was there twice. That is the common case, and much cheaper than looking for them.
  if (!findsDuplicates || countKeys(value) === keys) return { value, duplicates: [], placeOf: nowhere };
  return { value, ...new DuplicateScanner(text).scan() };
}

const code = { quote: 34, backslash: 92, colon: 58, open: 91, close: 93, openBrace: 123, closeBrace: 125 };

/** How many keys the text has, and how deep it goes: of well-formed text; of other text anything. */
function measure(text: string): { readonly keys: number; readonly depth: number } {
  let keys = 0;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1)
    switch (text.charCodeAt(at)) {
      case code.quote:
        at = endOfString(text, at);
        break;
      case code.colon:
        keys += 1;
        break;
      case code.open:
      case code.openBrace:
        depth += 1;
        if (depth > deepest) deepest = depth;
        break;
      case code.close:
      case code.closeBrace:
        depth -= 1;
        break;
      default:
    }
  return { keys, depth: deepest };
}

/** Where the quote is that ends the string which begins at `start`; the text's end for a string without one. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end > 0 && text.charCodeAt(end - 1) === code.backslash && isEscaped(text, end))
    end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

/** An odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let start = at;
  while (text.charCodeAt(start - 1) === code.backslash) start -= 1;
  return (at - start) % 2 === 1;
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item);
    return count;
  }
  for (const name in value) count += 1 + countKeys((value as { readonly [name: string]: unknown })[name]);
  return count;
}

/** Walks well-formed text and tells each key that its object has already. */
class DuplicateScanner {
  readonly #text: string;
  readonly #path: (string | number)[] = [];
  readonly #found: Duplicate[] = [];
  readonly #places = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): Omit<Parsed, 'value'> {
    this.#value();
    return { duplicates: this.#found, placeOf: (path) => this.#places.get(path) ?? 0 };
  }

  #value(): void {
    const first = this.#peek();
    if (first === code.openBrace) this.#object();
    else if (first === code.open) this.#array();
    else if (first === code.quote) this.#string();
    else while (this.#at < this.#text.length && !/[\s,\]}]/.test(this.#text[this.#at]!)) this.#at += 1;
  }

  #object(): void {
    const seen = new Set<string>();
    this.#at += 1;
    while (this.#peek() !== code.closeBrace) {
      const key = this.#string();
      this.#path.push(key);
      const path = strictPath(this.#path);
      if (seen.has(key)) this.#found.push({ kind: 'duplicate', path, place: this.#at });
      else if (!this.#places.has(path)) this.#places.set(path, this.#at);
      seen.add(key);
      this.#peek();
      this.#at += 1; // the colon
      this.#value();
      this.#path.pop();
      this.#comma();
    }
    this.#at += 1;
  }

  #array(): void {
    this.#at += 1;
    for (let index = 0; this.#peek() !== code.close; index += 1) {
      this.#path.push(index);
      this.#value();
      this.#path.pop();
      this.#comma();
    }
    this.#at += 1;
  }

  #comma(): void {
    if (this.#peek() === 44) this.#at += 1;
  }

  #string(): string {
    const start = this.#at;
    this.#at = endOfString(this.#text, start) + 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  /** The next character that is no space. */
  #peek(): number {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
    return this.#text.charCodeAt(this.#at);
  }
}
