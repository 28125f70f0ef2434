import { DabbaError, type Random } from '#base';

const qualities =
  'able agile bold brave bright calm clever cool deft eager fair fast fine fond free glad good grand happy humble jolly keen kind lively lucid merry mild neat nimble noble polite proud quick quiet ready sharp smart steady stoic sunny sure tidy vivid warm wise witty young zesty'.split(
    ' ',
  );
const things =
  'acorn anchor arch badge basin beacon birch bridge brook candle canyon cedar cliff cloud comet coral crane delta dune ember falcon fern fjord flint garden glacier harbor hazel heron island juniper lagoon lantern lark maple meadow mesa orchard otter pebble pine prairie quartz raven reef ridge river robin saddle spruce summit thistle tulip valley willow wren'.split(
    ' ',
  );

/** A name for a container that was given none, e.g. `calm_heron`; `isTaken` decides whether to try again with more. */
export function generateName(random: Random, isTaken: (name: string) => boolean): string {
  const pick = (words: readonly string[]) => words[Math.floor(random.fraction() * words.length)]!;
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(qualities)}_${pick(things)}${attempt === 0 ? '' : random.hex(Math.min(attempt, 8))}`;
    if (!isTaken(name)) return name;
  }
}

/** A container's name without the slash Docker puts before it. Throws `InvalidArgument` in Docker's words. */
export function parseName(text: string): string {
  const name = text.replace(/^\//, '');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
    throw new DabbaError(
      'InvalidArgument',
      `Invalid container name (${text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  return name;
}
