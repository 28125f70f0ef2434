import { parseFault, type Location } from './fault.ts';
import { splitRaw } from './words.ts';

/** `<<NAME`, `<<-NAME`, `<<"NAME"` and the lines up to `NAME`. */
export interface Heredoc {
  readonly name: string;
  /** The lines as written. */
  readonly content: string;
  /** `<<-`: leading tabs are not part of the content. */
  readonly isTabStripped: boolean;
  /** The name was not quoted: variables in the content are replaced. */
  readonly isExpanded: boolean;
}

export interface Flag {
  readonly name: string;
  /** Undefined for a flag without `=`. */
  readonly value?: string;
}

/** An instruction cut out of the text, its words not yet understood. */
export interface RawInstruction {
  readonly at: Location;
  /** Upper case. */
  readonly keyword: string;
  readonly flags: readonly Flag[];
  /** What follows keyword and flags, continuation lines joined. */
  readonly text: string;
  /** The instruction in one line, as it is shown while building and in the history. */
  readonly source: string;
  readonly heredocs: readonly Heredoc[];
}

export interface DockerfileText {
  /** The escape character, `\` or a backtick. */
  readonly escape: string;
  readonly directives: { readonly [name: string]: string };
  readonly instructions: readonly RawInstruction[];
}

const limitBytes = 1 << 20;

/** Cuts a Dockerfile into directives and instructions. Throws `InvalidArgument`. */
export function readDockerfile(text: string, file: string): DockerfileText {
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  const at = (line: number): Location => ({ file, startLine: line, endLine: line });
  if (text.length > limitBytes) throw parseFault(at(1), `the file is larger than ${limitBytes} bytes`);
  const zero = lines.findIndex((line) => line.includes('\0'));
  if (zero >= 0) throw parseFault(at(zero + 1), 'there is a NUL character: this is no text');
  const directives = readDirectives(lines, at);
  const escape = directives['escape'] ?? '\\';
  const instructions: RawInstruction[] = [];
  for (let index = 0; index < lines.length;) {
    const joined = joinContinuations(lines, index, escape);
    const startLine = index + 1;
    index = joined.next;
    if (joined.text === '') continue;
    const draft = cutInstruction(joined.text, escape);
    const heredocs: Heredoc[] = [];
    for (const mark of heredocMarks(draft, escape)) {
      const end = lines.findIndex(
        (line, position) => position >= index && withoutReturn(stripTabs(line, mark.isTabStripped)) === mark.name,
      );
      if (end < 0) throw parseFault(at(startLine), `unterminated heredoc "${mark.name}" in ${draft.keyword}`);
      const content = lines
        .slice(index, end)
        .map((line) => `${withoutReturn(line)}\n`)
        .join('');
      heredocs.push({ ...mark, content });
      index = end + 1;
    }
    instructions.push({
      ...draft,
      heredocs,
      at: { file, startLine, endLine: heredocs.length ? index : joined.endLine },
    });
  }
  return { escape, directives, instructions };
}

/** `# name=value` comments at the very top. The first line that is none ends them (Dockerfile reference, "Parser directives"). */
function readDirectives(lines: readonly string[], at: (line: number) => Location): { [name: string]: string } {
  const directives: { [name: string]: string } = {};
  for (const [index, line] of lines.entries()) {
    const match = /^\s*#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$/.exec(line);
    const name = match?.[1]!.toLowerCase();
    if (!match || !name || !['syntax', 'escape', 'check'].includes(name)) break;
    if (Object.hasOwn(directives, name))
      throw parseFault(at(index + 1), `only one ${name} parser directive can be used`);
    if (name === 'escape' && match[2] !== '\\' && match[2] !== '`')
      throw parseFault(at(index + 1), `invalid escape token '${match[2]}' does not match ^[\\\\\`]$`);
    directives[name] = match[2]!;
  }
  return directives;
}

interface JoinedLine {
  readonly text: string;
  /** Number of the last line that belongs to it, from 1. */
  readonly endLine: number;
  /** Index of the line that follows. */
  readonly next: number;
}

/** One logical line: comments dropped, lines that end in the escape character joined, empty and comment lines between them passed over. */
function joinContinuations(lines: readonly string[], start: number, escape: string): JoinedLine {
  const first = withoutReturn(lines[start]!).replace(/^\s+/, '');
  if (first === '' || first.startsWith('#')) return { text: '', endLine: start + 1, next: start + 1 };
  let { text, isContinued } = withoutContinuation(first, escape);
  let endLine = start + 1;
  let next = start + 1;
  for (; isContinued && next < lines.length; next++) {
    const line = withoutReturn(lines[next]!);
    if (/^\s*(?:#.*)?$/.test(line)) continue;
    const more = withoutContinuation(line, escape);
    text += more.text;
    isContinued = more.isContinued;
    endLine = next + 1;
  }
  return { text: text.trim(), endLine, next };
}

function withoutContinuation(line: string, escape: string): { readonly text: string; readonly isContinued: boolean } {
  const trimmed = line.replace(/[ \t]+$/, '');
  // A doubled escape at the end of a line is an escaped escape, not a continuation.
  if (!trimmed.endsWith(escape) || trimmed.endsWith(escape + escape)) return { text: line, isContinued: false };
  return { text: trimmed.slice(0, -1), isContinued: true };
}

function cutInstruction(source: string, escape: string): Omit<RawInstruction, 'at' | 'heredocs'> {
  const [, word, rest] = /^(\S+)\s*(.*)$/s.exec(source)!;
  const { flags, text } = cutFlags(rest!, escape);
  return { keyword: word!.toUpperCase(), flags, text, source };
}

/** Takes `--name[=value]` words off the front; `--` alone ends them. */
export function cutFlags(text: string, escape: string): { readonly flags: readonly Flag[]; readonly text: string } {
  const flags: Flag[] = [];
  let rest = text;
  while (rest.startsWith('--')) {
    const word = splitRaw(rest, escape)[0]!;
    rest = rest.slice(word.length).trimStart();
    if (word === '--') break;
    const plain = word.slice(2).replaceAll(/["']/g, '');
    const equals = plain.indexOf('=');
    flags.push(equals < 0 ? { name: plain } : { name: plain.slice(0, equals), value: plain.slice(equals + 1) });
  }
  return { flags, text: rest };
}

/** Heredocs that an instruction announces: RUN, COPY and ADD, alone or behind ONBUILD, and never in the JSON form. */
function heredocMarks(
  { keyword, text }: { readonly keyword: string; readonly text: string },
  escape: string,
): Omit<Heredoc, 'content'>[] {
  const nested = keyword === 'ONBUILD' ? /^(\S+)\s*(.*)$/s.exec(text) : undefined;
  const name = nested ? nested[1]!.toUpperCase() : keyword;
  const words = nested ? nested[2]! : text;
  if (!['RUN', 'COPY', 'ADD'].includes(name) || words.startsWith('[')) return [];
  return splitRaw(words, escape).flatMap((word) => {
    const match = /^\d*<<(-?)([^<]+)$/.exec(word);
    if (!match) return [];
    const plain = match[2]!.replaceAll(/["']/g, '').replaceAll(escape, '');
    if (plain === '') return [];
    return [{ name: plain, isTabStripped: match[1] === '-', isExpanded: plain === match[2] }];
  });
}

/** The content of a heredoc without the tabs that `<<-` strips. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.isTabStripped ? heredoc.content.replaceAll(/^\t+/gm, '') : heredoc.content;
}

const stripTabs = (line: string, isStripped: boolean) => (isStripped ? line.replace(/^\t+/, '') : line);
const withoutReturn = (line: string) => (line.endsWith('\r') ? line.slice(0, -1) : line);
