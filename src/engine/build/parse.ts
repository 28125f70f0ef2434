import { parseFault, type Location } from './fault.ts';
import { parseHealthCheck } from './healthcheck.ts';
import type { Assignment, Body, Declaration, Instruction } from './instruction.ts';
import { jsonStrings, readCommand } from './json.ts';
import { readDockerfile, type RawInstruction } from './lines.ts';
import { splitRaw } from './words.ts';

export interface Dockerfile {
  readonly file: string;
  /** The escape character of its words. */
  readonly escape: string;
  /** `# name=value` comments at the top, by name. */
  readonly directives: { readonly [name: string]: string };
  readonly instructions: readonly Instruction[];
}

/** Reads a Dockerfile. Every fault is `InvalidArgument`, "dockerfile parse error on line N: …". */
export function parseDockerfile(text: string, file = 'Dockerfile'): Dockerfile {
  const { escape, directives, instructions } = readDockerfile(text, file);
  refuseOtherLanguage({ file, startLine: 1, endLine: 1 }, directives['syntax']);
  if (instructions.length === 0) throw parseFault({ file, startLine: 1, endLine: 1 }, 'file with no instructions');
  return { file, escape, directives, instructions: instructions.map((raw) => parseInstruction(raw, escape)) };
}

/** `# syntax` names the image of a frontend. We read Docker's own language, in whatever version. */
function refuseOtherLanguage(at: Location, syntax: string | undefined): void {
  if (syntax === undefined || /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@]|$)/.test(syntax)) return;
  throw parseFault(at, `# syntax=${syntax}: only the language of docker/dockerfile can be built; leave the line out`);
}

/** Reads the instruction that an ONBUILD of a base image left, at the place of the FROM that triggers it. */
export function parseTrigger(text: string, at: Location): Instruction {
  const { escape, instructions } = readDockerfile(text, at.file);
  if (instructions.length !== 1) throw parseFault(at, `ONBUILD trigger "${text}" is not one instruction`);
  return parseInstruction({ ...instructions[0]!, at }, escape);
}

function parseInstruction(raw: RawInstruction, escape: string): Instruction {
  const read = readers[raw.keyword];
  if (!read) throw parseFault(raw.at, `unknown instruction: ${raw.keyword}${suggestion(raw.keyword)}`);
  const allowed = flagsOf[raw.keyword] ?? [];
  for (const flag of raw.flags) {
    if (!allowed.includes(flag.name)) throw parseFault(raw.at, `unknown flag: --${flag.name} in ${raw.keyword}`);
    if (flag.value === undefined && !booleanFlags.includes(flag.name))
      throw parseFault(raw.at, `missing a value on flag: --${flag.name} in ${raw.keyword}`);
    if (!['mount', 'exclude'].includes(flag.name) && raw.flags.filter(({ name }) => name === flag.name).length > 1)
      throw parseFault(raw.at, `flag --${flag.name} of ${raw.keyword} is given more than once`);
  }
  return { ...read(raw, escape), at: raw.at, source: raw.source };
}

type Reader = (raw: RawInstruction, escape: string) => Body;

const booleanFlags = ['link', 'parents', 'keep-git-dir', 'unpack'];
const copyFlags = ['from', 'chown', 'chmod', 'link', 'exclude', 'parents'];
const flagsOf: { readonly [keyword: string]: readonly string[] } = {
  FROM: ['platform'],
  COPY: copyFlags,
  ADD: ['chown', 'chmod', 'link', 'exclude', 'keep-git-dir', 'checksum', 'unpack'],
  RUN: ['mount', 'network', 'security', 'device'],
  HEALTHCHECK: ['interval', 'timeout', 'start-period', 'start-interval', 'retries'],
};

const readers: { readonly [keyword: string]: Reader } = {
  FROM: readFrom,
  ARG: (raw, escape) => ({ kind: 'ARG', declarations: readDeclarations(raw, escape) }),
  ENV: (raw, escape) => ({ kind: 'ENV', assignments: readAssignments(raw, escape) }),
  LABEL: (raw, escape) => ({ kind: 'LABEL', assignments: readAssignments(raw, escape) }),
  WORKDIR: (raw) => ({ kind: 'WORKDIR', text: oneArgument(raw) }),
  USER: (raw) => ({ kind: 'USER', text: oneArgument(raw) }),
  STOPSIGNAL: (raw) => ({ kind: 'STOPSIGNAL', text: oneArgument(raw) }),
  MAINTAINER: (raw) => ({ kind: 'MAINTAINER', text: oneArgument(raw) }),
  CMD: (raw) => ({ kind: 'CMD', command: readCommand(raw.text) }),
  ENTRYPOINT: (raw) => ({ kind: 'ENTRYPOINT', command: readCommand(raw.text) }),
  SHELL: (raw) => ({ kind: 'SHELL', args: readJsonOnly(raw) }),
  EXPOSE: (raw, escape) => ({ kind: 'EXPOSE', words: someWords(raw, splitRaw(raw.text, escape)) }),
  VOLUME: (raw) => ({ kind: 'VOLUME', words: someWords(raw, stringsOf(raw.text)) }),
  HEALTHCHECK: (raw) => ({ kind: 'HEALTHCHECK', check: parseHealthCheck(raw) }),
  ONBUILD: readOnBuild,
  COPY: readCopy,
  ADD: readCopy,
  RUN: readRun,
};

/** The keywords of the language. */
export const keywords: readonly string[] = Object.keys(readers);

function readFrom(raw: RawInstruction): Body {
  const words = raw.text.split(/\s+/).filter(Boolean);
  const platform = raw.flags.find(({ name }) => name === 'platform')?.value;
  if (words.length !== 1 && !(words.length === 3 && words[1]!.toUpperCase() === 'AS'))
    throw parseFault(raw.at, 'FROM requires either one or three arguments');
  const name = words[2]?.toLowerCase();
  if (name !== undefined && !/^[a-z][a-z0-9._-]*$/.test(name))
    throw parseFault(
      raw.at,
      `invalid name for build stage: "${words[2]}", name can't start with a number or contain symbols`,
    );
  return {
    kind: 'FROM',
    base: words[0]!,
    ...(name === undefined ? {} : { name }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function readDeclarations(raw: RawInstruction, escape: string): Declaration[] {
  return someWords(raw, splitRaw(raw.text, escape)).map((word) => {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (name === '') throw parseFault(raw.at, `ARG names can not be blank: "${word}"`);
    return equals < 0 ? { name } : { name, value: word.slice(equals + 1) };
  });
}

/** `name=value …`, or the old form `name value`, whose value is the rest of the line. */
function readAssignments(raw: RawInstruction, escape: string): Assignment[] {
  const words = someWords(raw, splitRaw(raw.text, escape));
  if (!words[0]!.includes('=')) {
    const [, name, value] = /^(\S+)\s+(.*)$/s.exec(raw.text) ?? [];
    if (name === undefined) throw parseFault(raw.at, `${raw.keyword} must have two arguments`);
    return [{ name, value: value! }];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0)
      throw parseFault(
        raw.at,
        `Syntax error - can't find = in "${word}" of ${raw.keyword}. Must be of the form: name=value`,
      );
    if (equals === 0) throw parseFault(raw.at, `${raw.keyword} names can not be blank`);
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function readOnBuild(raw: RawInstruction): Body {
  const keyword = oneArgument(raw).split(/\s+/)[0]!.toUpperCase();
  if (keyword === 'ONBUILD') throw parseFault(raw.at, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (keyword === 'FROM' || keyword === 'MAINTAINER')
    throw parseFault(raw.at, `${keyword} isn't allowed as an ONBUILD trigger`);
  if (!readers[keyword]) throw parseFault(raw.at, `unknown instruction: ${keyword} in ONBUILD${suggestion(keyword)}`);
  const heredocs = raw.heredocs.map(({ content, name }) => `\n${content}${name}`).join('');
  return { kind: 'ONBUILD', trigger: `${raw.source.replace(/^\S+\s+/, '')}${heredocs}` };
}

function readCopy(raw: RawInstruction): Body {
  const words = stringsOf(raw.text);
  if (words.length < 2)
    throw parseFault(
      raw.at,
      `${raw.keyword} requires at least two arguments, but only ${words.length} provided. Destination could not be determined`,
    );
  const value = (name: string) => raw.flags.find((flag) => flag.name === name)?.value;
  const isHeredoc = (word: string) => raw.heredocs.length > 0 && /^\d*<<-?[^<]+$/.test(word);
  const kind = raw.keyword as 'COPY' | 'ADD';
  const isOn = (name: string) => raw.flags.some((flag) => flag.name === name && flag.value !== 'false');
  return {
    kind,
    sources: words.slice(0, -1).filter((word) => !isHeredoc(word)),
    destination: words.at(-1)!,
    inline: raw.heredocs,
    excludes: raw.flags.flatMap((flag) => (flag.name === 'exclude' ? flag.value! : [])),
    isParentsKept: isOn('parents'),
    isLinked: isOn('link'),
    isGitDirectoryKept: isOn('keep-git-dir'),
    ...(raw.flags.some(({ name }) => name === 'unpack') ? { isUnpacked: isOn('unpack') } : {}),
    ...optional('checksum', value('checksum')),
    ...optional('from', value('from')),
    ...optional('owner', value('chown')),
    ...optional('mode', value('chmod')),
  };
}

function readRun(raw: RawInstruction): Body {
  if (raw.text === '') throw parseFault(raw.at, 'RUN requires at least one argument');
  return { kind: 'RUN', command: readCommand(raw.text), heredocs: raw.heredocs, flags: raw.flags };
}

function readJsonOnly(raw: RawInstruction): readonly string[] {
  const args = jsonStrings(raw.text);
  if (!args || args.length === 0) throw parseFault(raw.at, `${raw.keyword} requires the arguments to be in JSON form`);
  return args;
}

const stringsOf = (text: string): readonly string[] => jsonStrings(text) ?? text.split(/\s+/).filter(Boolean);

function someWords(raw: RawInstruction, words: readonly string[]): readonly string[] {
  if (words.length === 0) throw parseFault(raw.at, `${raw.keyword} requires at least one argument`);
  return words;
}

function oneArgument(raw: RawInstruction): string {
  if (raw.text === '') throw parseFault(raw.at, `${raw.keyword} requires exactly one argument`);
  return raw.text;
}

/** A keyword one edit away, for the message. */
function suggestion(keyword: string): string {
  const near = keywords.find((candidate) => isNear(candidate, keyword));
  return near ? ` (did you mean ${near}?)` : '';
}

function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const restA = a.slice(start);
  const restB = b.slice(start);
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1);
}

const optional = <Name extends string>(name: Name, value: string | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { readonly [key in Name]?: string }; // the key is Name itself
