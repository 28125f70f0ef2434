import { DabbaError } from '#base';
import { parseFault } from './fault.ts';
import type { Instruction, InstructionOf } from './instruction.ts';
import type { Dockerfile } from './parse.ts';

/** A rule about style or likely mistakes (Docker documentation, "Build checks"): the instructions it finds fault with, and why. */
interface Check {
  readonly name: string;
  find(dockerfile: Dockerfile): readonly Finding[];
}

interface Finding {
  readonly at: Instruction;
  readonly why: string;
}

/** Warnings about a Dockerfile. Throws `InvalidArgument` if there are any and its `# check=error=true` says so. */
export function checkDockerfile(dockerfile: Dockerfile): readonly string[] {
  const { skipped, isFatal } = readDirective(dockerfile);
  if (skipped.has('all')) return [];
  const warnings = checks
    .filter(({ name }) => !skipped.has(name))
    .flatMap((check) =>
      check.find(dockerfile).map(({ at, why }) => `${check.name}: ${why} (${at.at.file}:${at.at.startLine})`),
    );
  if (isFatal && warnings.length > 0)
    throw new DabbaError(
      'InvalidArgument',
      `the Dockerfile fails its checks (# check=error=true): ${warnings.join('; ')}`,
    );
  return warnings;
}

/** `# check=skip=NAME,…;error=true`. */
function readDirective({ file, directives }: Dockerfile): {
  readonly skipped: ReadonlySet<string>;
  readonly isFatal: boolean;
} {
  const skipped = new Set<string>();
  let isFatal = false;
  for (const part of (directives['check'] ?? '').split(';').filter((part) => part.trim() !== '')) {
    const [name = '', value = ''] = part.split('=').map((text) => text.trim());
    if (name === 'skip') for (const rule of value.split(',')) skipped.add(rule.trim());
    else if (name === 'error') isFatal = value === 'true' || value === '1';
    else
      throw parseFault(
        { file, startLine: 1, endLine: 1 },
        `unknown option "${name}" in the check directive; it has skip=… and error=true`,
      );
  }
  return { skipped, isFatal };
}

const ofKind = <Kind extends Instruction['kind']>({ instructions }: Dockerfile, ...kinds: readonly Kind[]) =>
  instructions.filter((instruction): instruction is InstructionOf<Kind> =>
    (kinds as readonly string[]).includes(instruction.kind),
  );

const keywordOf = ({ source }: Instruction) => /^\S+/.exec(source)![0];
const isCased = (word: string) => word === word.toUpperCase() || word === word.toLowerCase();

/** Of the instructions of each stage, those `isBad` says are. */
function inStages(
  dockerfile: Dockerfile,
  isBad: (instruction: Instruction, before: readonly Instruction[]) => string | undefined,
): Finding[] {
  const before: Instruction[] = [];
  return dockerfile.instructions.flatMap((at) => {
    if (at.kind === 'FROM') before.length = 0;
    const why = isBad(at, before);
    before.push(at);
    return why === undefined ? [] : [{ at, why }];
  });
}

const checks: readonly Check[] = [
  {
    name: 'ConsistentInstructionCasing',
    find(dockerfile) {
      const words = dockerfile.instructions.map(keywordOf);
      const isUpper = words.filter((word) => word === word.toUpperCase()).length * 2 >= words.length;
      const wanted = (word: string) => (isUpper ? word.toUpperCase() : word.toLowerCase());
      return dockerfile.instructions
        .filter((instruction) => keywordOf(instruction) !== wanted(keywordOf(instruction)))
        .map((at) => ({ at, why: `command "${keywordOf(at)}" should match the case of the others` }));
    },
  },
  {
    name: 'FromAsCasing',
    find: (dockerfile) =>
      ofKind(dockerfile, 'FROM').flatMap((at) => {
        const as = /\s(as)\s+\S+\s*$/i.exec(at.source)?.[1];
        const from = keywordOf(at);
        if (as === undefined || !isCased(from)) return [];
        const isSame = (from === from.toUpperCase()) === (as === as.toUpperCase()) && isCased(as);
        return isSame ? [] : [{ at, why: `"${as}" and "${from}" are not in the same case` }];
      }),
  },
  {
    name: 'StageNameCasing',
    find: (dockerfile) =>
      ofKind(dockerfile, 'FROM').flatMap((at) => {
        const name = at.name === undefined ? undefined : /(\S+)\s*$/.exec(at.source)?.[1];
        return name === undefined || name === name.toLowerCase()
          ? []
          : [{ at, why: `stage name "${name}" should be lower case` }];
      }),
  },
  {
    name: 'DuplicateStageName',
    find(dockerfile) {
      const seen = new Set<string>();
      return ofKind(dockerfile, 'FROM').flatMap((at) => {
        if (at.name === undefined) return [];
        const isTwice = seen.has(at.name);
        seen.add(at.name);
        return isTwice ? [{ at, why: `there is a stage "${at.name}" already` }] : [];
      });
    },
  },
  {
    name: 'ReservedStageName',
    find: (dockerfile) =>
      ofKind(dockerfile, 'FROM')
        .filter(({ name }) => name === 'scratch' || name === 'context')
        .map((at) => ({ at, why: `"${at.name}" is a reserved word and cannot name a stage` })),
  },
  {
    name: 'JSONArgsRecommended',
    find: (dockerfile) =>
      ofKind(dockerfile, 'CMD', 'ENTRYPOINT')
        .filter(({ command }) => command.form === 'shell')
        .map((at) => ({ at, why: `${at.kind} in its JSON form lets signals reach the process` })),
  },
  {
    name: 'MaintainerDeprecated',
    find: (dockerfile) =>
      ofKind(dockerfile, 'MAINTAINER').map((at) => ({
        at,
        why: 'use LABEL org.opencontainers.image.authors instead',
      })),
  },
  {
    name: 'WorkdirRelativePath',
    find: (dockerfile) =>
      inStages(dockerfile, (at, before) =>
        at.kind === 'WORKDIR' && !/^["']?[/$]/.test(at.text) && !before.some(({ kind }) => kind === 'WORKDIR')
          ? `relative directory "${at.text}" depends on that of the base image`
          : undefined,
      ),
  },
  {
    name: 'MultipleInstructionsDisallowed',
    find: (dockerfile) =>
      inStages(dockerfile, (at, before) =>
        ['CMD', 'ENTRYPOINT', 'HEALTHCHECK'].includes(at.kind) && before.some(({ kind }) => kind === at.kind)
          ? `only the last ${at.kind} of a stage counts`
          : undefined,
      ),
  },
  {
    name: 'LegacyKeyValueFormat',
    find: (dockerfile) =>
      ofKind(dockerfile, 'ENV', 'LABEL')
        .filter(({ source }) => !/^\S+\s+[^\s=]+=/.test(source) && !/^\S+\s+["']/.test(source))
        .map((at) => ({ at, why: `write "${at.kind} name=value", not "${at.kind} name value"` })),
  },
  {
    name: 'SecretsUsedInArgOrEnv',
    find: (dockerfile) =>
      dockerfile.instructions.flatMap((at) => {
        const names =
          at.kind === 'ARG'
            ? at.declarations.map(({ name }) => name)
            : at.kind === 'ENV'
              ? at.assignments.map(({ name }) => name)
              : [];
        const secret = names.find((name) => secretName.test(name) && !/public/i.test(name));
        return secret === undefined
          ? []
          : [
              {
                at,
                why: `"${secret}" sounds like a secret, which ${at.kind} keeps in the image; use RUN --mount=type=secret`,
              },
            ];
      }),
  },
  {
    name: 'RedundantTargetPlatform',
    find: (dockerfile) =>
      ofKind(dockerfile, 'FROM')
        .filter(({ platform }) => /^\$\{?TARGETPLATFORM\}?$/.test(platform ?? ''))
        .map((at) => ({ at, why: 'the target platform is the default' })),
  },
];

const secretName = /(?:^|_)(?:apikey|auth|credentials?|key|password|passwd|pword|secret|token)(?:$|_)/i;
