import { DabbaError } from '#base';
import { replaceMatches, trimPrefix, trimSuffix } from './pattern.ts';

/** How words of a Dockerfile are read: its escape character (`\` or a backtick) and the variables in scope. */
export interface WordScope {
  readonly escape: string;
  /** Value of a variable; undefined when it is unset. */
  lookup(name: string): string | undefined;
}

/** One word as a shell would read it: quotes removed, escapes resolved, variables replaced. White space is kept. */
export function expand(text: string, scope: WordScope): string {
  return new WordReader(text, scope).readAll().join('');
}

/** Like `expand`, then split at white space that stood outside quotes, including what a variable brought along. */
export function expandToWords(text: string, scope: WordScope): string[] {
  return new WordReader(text, scope).readWords();
}

/** The text of a heredoc: variables are replaced, quotes are ordinary characters. */
export function expandText(text: string, scope: WordScope): string {
  return new WordReader(text, scope).readText();
}

/** Splits at white space outside quotes; quotes, escapes and variables stay as written. */
export function splitRaw(text: string, escape: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && isSpace(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word = (word ?? '') + character;
    if (character === escape && quote !== "'" && at + 1 < text.length) word += text[++at]!;
    else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** A piece of a word: `isSplittable` when unquoted white space in it ends the word. */
interface Piece {
  readonly text: string;
  readonly isSplittable: boolean;
}

/**
 * The shell-word lexer of the Dockerfile language: quotes, escapes, `$name`, and `${name}` with `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%`
 * `/` `//` (Dockerfile reference, "Environment replacement"; POSIX shell, section 2.6.2).
 */
class WordReader {
  readonly #text: string;
  readonly #scope: WordScope;
  #at = 0;

  constructor(text: string, scope: WordScope) {
    this.#text = text;
    this.#scope = scope;
  }

  readAll(): string[] {
    return this.#pieces(() => false).map((piece) => piece.text);
  }

  readWords(): string[] {
    const words: string[] = [];
    let word: string | undefined;
    for (const { text, isSplittable } of this.#pieces(() => false)) {
      if (!isSplittable) {
        word = (word ?? '') + text;
        continue;
      }
      for (const part of text.split(/(\s+)/)) {
        if (part === '') continue;
        if (!isSpace(part[0]!)) word = (word ?? '') + part;
        else if (word !== undefined) {
          words.push(word);
          word = undefined;
        }
      }
    }
    if (word !== undefined) words.push(word);
    return words;
  }

  readText(): string {
    let out = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at++]!;
      const next = this.#text[this.#at];
      if (character === '$') out += this.#dollar();
      else if (character === this.#scope.escape && (next === '$' || next === this.#scope.escape)) {
        out += next;
        this.#at++;
      } else out += character;
    }
    return out;
  }

  /** Reads until `ends` accepts an unquoted character, which is left unread, or to the end of the text. */
  #pieces(ends: (character: string) => boolean): Piece[] {
    const pieces: Piece[] = [];
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (ends(character)) break;
      this.#at++;
      if (character === "'") pieces.push({ text: this.#singleQuoted(), isSplittable: false });
      else if (character === '"') pieces.push({ text: this.#doubleQuoted(), isSplittable: false });
      else if (character === '$') pieces.push({ text: this.#dollar(), isSplittable: true });
      else if (character === this.#scope.escape) {
        if (this.#at < this.#text.length) pieces.push({ text: this.#text[this.#at++]!, isSplittable: false });
      } else pieces.push({ text: character, isSplittable: true });
    }
    return pieces;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw fault('unexpected end of statement while looking for matching single-quote');
    const text = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #doubleQuoted(): string {
    let out = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at++]!;
      if (character === '"') return out;
      if (character === '$') out += this.#dollar();
      else if (character === this.#scope.escape && this.#at < this.#text.length) {
        const next = this.#text[this.#at++]!;
        // Within double quotes the escape character stands for itself unless what follows has a meaning there.
        out += next === '"' || next === '$' || next === this.#scope.escape ? next : character + next;
      } else out += character;
    }
    throw fault('unexpected end of statement while looking for matching double-quote');
  }

  /** What follows a `$`, which has been read. */
  #dollar(): string {
    if (this.#text[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#scope.lookup(name) ?? '');
    }
    this.#at++;
    const name = this.#name();
    const operator = this.#text[this.#at++];
    if (operator === undefined) throw fault('syntax error: missing "}"');
    if (name === '') throw fault('syntax error: bad substitution');
    const value = this.#scope.lookup(name);
    switch (operator) {
      case '}':
        return value ?? '';
      case ':':
        return this.#conditional(name, value === '' ? undefined : value, this.#text[this.#at++]);
      case '-':
      case '+':
      case '?':
        return this.#conditional(name, value, operator);
      case '#':
      case '%':
        return this.#trimmed(value ?? '', operator);
      case '/':
        return this.#replaced(value ?? '');
      default:
        throw fault(`unsupported modifier (${operator}) in substitution of ${name}`);
    }
  }

  #conditional(name: string, value: string | undefined, operator: string | undefined): string {
    const word = this.#until('}');
    this.#at++;
    if (operator === '-') return value ?? word;
    if (operator === '+') return value === undefined ? '' : word;
    if (operator !== '?') throw fault(`unsupported modifier (${operator ?? ''}) in substitution of ${name}`);
    if (value === undefined) throw fault(`${name}: ${word === '' ? 'is not allowed to be unset' : word}`);
    return value;
  }

  #trimmed(value: string, operator: '#' | '%'): string {
    const isLongest = this.#text[this.#at] === operator;
    if (isLongest) this.#at++;
    const pattern = this.#until('}');
    this.#at++;
    return (operator === '#' ? trimPrefix : trimSuffix)(value, pattern, isLongest ? 'longest' : 'shortest');
  }

  #replaced(value: string): string {
    const isForAll = this.#text[this.#at] === '/';
    if (isForAll) this.#at++;
    const pattern = this.#until('/');
    this.#at++;
    const replacement = this.#until('}');
    this.#at++;
    return replaceMatches(value, pattern, replacement, isForAll ? 'all' : 'first');
  }

  /** Reads a nested word up to an unquoted `end`, which must come and is left unread. */
  #until(end: string): string {
    const text = this.#pieces((character) => character === end)
      .map((piece) => piece.text)
      .join('');
    if (this.#at >= this.#text.length) throw fault(`syntax error: missing "${end}" in substitution`);
    return text;
  }

  #name(): string {
    const form = /[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#!?$-]/y;
    form.lastIndex = this.#at;
    const name = form.exec(this.#text)?.[0] ?? '';
    this.#at += name.length;
    return name;
  }
}

const isSpace = (character: string) => /\s/.test(character);

const fault = (message: string) => new DabbaError('InvalidArgument', message);
