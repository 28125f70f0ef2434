import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DockerfileParser } from 'dockerfile-ast';
import * as fc from 'fast-check';
import type { Instruction } from './instruction.ts';
import { parseDockerfile } from './parse.ts';
import { planBuild } from './plan.ts';

const parse = (...lines: readonly string[]) => parseDockerfile(lines.join('\n'));
const bare = ({ at: _at, source: _source, ...rest }: Instruction) => rest;
const only = (line: string) => bare(parse('FROM scratch', line).instructions[1]!);

test('instructions are understood', () => {
  const { instructions } = parse(
    'FROM --platform=$BUILDPLATFORM debian:12 as Base',
    'RUN a && \\',
    '  # note',
    '',
    '  b',
  );
  assert.deepEqual(instructions.map(bare), [
    { kind: 'FROM', base: 'debian:12', name: 'base', platform: '$BUILDPLATFORM' },
    { kind: 'RUN', command: { form: 'shell', text: 'a &&   b' }, heredocs: [], flags: [] },
  ]);
  assert.deepEqual(instructions[1]!.at, { file: 'Dockerfile', startLine: 2, endLine: 5 });
  assert.deepEqual(only('CMD ["a", "b c"]'), { kind: 'CMD', command: { form: 'exec', args: ['a', 'b c'] } });
  assert.deepEqual(only("CMD ['a']"), { kind: 'CMD', command: { form: 'shell', text: "['a']" } });
  assert.deepEqual(only('ENV a=1 b="x y" c=$a'), {
    kind: 'ENV',
    assignments: [
      { name: 'a', value: '1' },
      { name: 'b', value: '"x y"' },
      { name: 'c', value: '$a' },
    ],
  });
  assert.deepEqual(only('ENV name the rest'), { kind: 'ENV', assignments: [{ name: 'name', value: 'the rest' }] });
  assert.deepEqual(only('ARG a b=2'), { kind: 'ARG', declarations: [{ name: 'a' }, { name: 'b', value: '2' }] });
  assert.deepEqual(only('HEALTHCHECK --interval=2s --timeout=1m30s --retries=3 CMD x || exit 1'), {
    kind: 'HEALTHCHECK',
    check: {
      type: 'command',
      command: { form: 'shell', text: 'x || exit 1' },
      timing: { Interval: 2e9, Timeout: 90e9, Retries: 3 },
    },
  });
  assert.deepEqual(only('ONBUILD copy . /x'), { kind: 'ONBUILD', trigger: 'copy . /x' });
});

test('COPY knows its flags, JSON and heredocs', () => {
  const { instructions } = parse(
    'FROM scratch',
    'COPY --from=0 --chown=a:b --chmod=755 ["a b", "/x"]',
    'COPY <<-"A" <<B /dst/',
    '\tone',
    '\tA',
    '$two',
    'B',
    'USER x',
  );
  const copy = bare(instructions[1]!);
  assert.deepEqual(copy, {
    kind: 'COPY',
    sources: ['a b'],
    destination: '/x',
    inline: [],
    excludes: [],
    isParentsKept: false,
    isLinked: false,
    isGitDirectoryKept: false,
    from: '0',
    owner: 'a:b',
    mode: '755',
  });
  const inline = instructions[2]!;
  assert.ok(inline.kind === 'COPY');
  assert.deepEqual(inline.sources, []);
  assert.deepEqual(inline.inline, [
    { name: 'A', content: '\tone\n', isTabStripped: true, isExpanded: false },
    { name: 'B', content: '$two\n', isTabStripped: false, isExpanded: true },
  ]);
  assert.equal(instructions[3]!.at.startLine, 8);
});

test('directives change the escape character, and only at the top', () => {
  const { instructions } = parse('# syntax=docker/dockerfile:1', '# escape=`', 'FROM scratch', 'RUN dir c:\\ `', ' x');
  assert.deepEqual(bare(instructions[1]!), {
    kind: 'RUN',
    command: { form: 'shell', text: 'dir c:\\  x' },
    heredocs: [],
    flags: [],
  });
  assert.equal(parse('# hello', '# escape=`', 'FROM scratch').escape, '\\');
  assert.throws(() => parse('# escape=`', '# escape=`', 'FROM x'), /line 2: only one escape parser directive/);
});

test('faults name line and instruction', () => {
  const faults: readonly (readonly [text: string, message: string])[] = [
    ['RUNN true', 'dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)'],
    ['XYZZY', 'dockerfile parse error on line 2: unknown instruction: XYZZY'],
    [
      'COPY a',
      'dockerfile parse error on line 2: COPY requires at least two arguments, but only 1 provided. Destination could not be determined',
    ],
    ['COPY --frm=a b c', 'dockerfile parse error on line 2: unknown flag: --frm in COPY'],
    [
      'ENV a=1 b',
      `dockerfile parse error on line 2: Syntax error - can't find = in "b" of ENV. Must be of the form: name=value`,
    ],
    ['ENV a', 'dockerfile parse error on line 2: ENV must have two arguments'],
    ['RUN', 'dockerfile parse error on line 2: RUN requires at least one argument'],
    ['SHELL sh', 'dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form'],
    ['RUN <<EOF\ntrue', 'dockerfile parse error on line 2: unterminated heredoc "EOF" in RUN'],
    ['HEALTHCHECK CMD', 'dockerfile parse error on line 2: Missing command after HEALTHCHECK CMD'],
    [
      'HEALTHCHECK --interval=x CMD a',
      'dockerfile parse error on line 2: --interval of HEALTHCHECK: invalid duration "x"',
    ],
    ['ONBUILD FROM x', "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger"],
    ['FROM a b', 'dockerfile parse error on line 2: FROM requires either one or three arguments'],
  ];
  for (const [line, message] of faults)
    assert.throws(() => parse('FROM scratch', line), { kind: 'InvalidArgument', message }, line);
  assert.throws(() => parseDockerfile('# nothing\n'), /file with no instructions/);
  assert.throws(
    () => parseDockerfile('FRO x', 'docker/app.Dockerfile'),
    /on line 1 of docker\/app.Dockerfile: unknown instruction: FRO/,
  );
});

test('differential: instruction ranges agree with dockerfile-ast', () => {
  const words = fc.stringMatching(/^[a-z0-9$./=_][a-z0-9$./=_-]{0,7}$/);
  const gap = fc.constantFrom(' ', '  ', ' \\\n  ', ' \\\n# note\n ', ' \\\n\n ');
  const plain = fc
    .tuple(
      fc.constantFrom('RUN', 'run', 'CMD', 'ENTRYPOINT', 'USER', 'WORKDIR', 'STOPSIGNAL', 'EXPOSE'),
      fc.array(fc.tuple(gap, words), { minLength: 1, maxLength: 4 }),
    )
    .map(([keyword, parts]) => keyword + parts.map(([space, word]) => space + word).join(''));
  const heredoc = fc
    .tuple(words, fc.array(words, { maxLength: 3 }))
    .map(([name, lines]) =>
      [`RUN <<${name.replaceAll(/[^a-z0-9]/g, 'E')}X`, ...lines, `${name.replaceAll(/[^a-z0-9]/g, 'E')}X`].join('\n'),
    );
  const comment = fc.constantFrom('# a comment', '', '   ');
  fc.assert(
    fc.property(fc.array(fc.oneof({ arbitrary: plain, weight: 4 }, heredoc, comment), { maxLength: 8 }), (blocks) => {
      const text = `FROM scratch\n${blocks.join('\n')}\n`;
      const ours = parseDockerfile(text).instructions.map(({ at }) => [at.startLine, at.endLine]);
      const theirs = DockerfileParser.parse(text)
        .getInstructions()
        .map((instruction) => instruction.getRange())
        .map(({ start, end }) => [start.line + 1, end.line + 1]);
      assert.deepEqual(ours, theirs, text);
    }),
    { numRuns: 300 },
  );
});

test('property: any text is understood or refused, never more', () => {
  const pieces = fc.constantFrom(
    'FROM a',
    'FROM',
    'RUN',
    'COPY',
    'ADD x',
    'ENV',
    'HEALTHCHECK',
    'ONBUILD',
    'SHELL',
    'ARG',
    'VOLUME',
    '# escape=`',
    '--from=',
    '--mount=type=cache,target=/x',
    '--mount=',
    '["a"',
    ']',
    '<<EOF',
    'EOF',
    '<<-"E F"',
    '\\',
    '`',
    '\n',
    '\n\n',
    '\r\n',
    ' ',
    '\t',
    '"',
    "'",
    '$x',
    '${',
    '}',
    '=',
    'a=b',
    '\u0000',
    'ÿ',
    '<<',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      try {
        const dockerfile = parseDockerfile(parts.join(' '));
        planBuild(dockerfile, { buildArgs: {}, platform: { os: 'linux', architecture: 'amd64' } });
      } catch (error) {
        assert.ok(['InvalidArgument', 'Unimplemented'].includes((error as { kind: string }).kind), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
