import type { BuildEvent } from '../engine.ts';
import { openSource, startStage, type StageResults } from './base.ts';
import type { BuildRun, StageEvent } from './build-run.ts';
import { Channel } from './channel.ts';
import { parseTrigger } from './parse.ts';
import type { Plan, Stage } from './plan.ts';
import { buildInstruction } from './stage.ts';
import type { StageState } from './state.ts';

/** What a build is before its stages are under way. */
export type BuildPlan = Omit<BuildRun, 'emit' | 'openSource'>;

/** The target as built, and the run in which it was built, to be continued. */
export interface BuiltTarget {
  readonly run: BuildRun;
  readonly state: StageState;
}

/**
 * Builds the stages that are needed, at the same time where none needs the other. The first failure ends all of them; so does a caller that
 * stops listening.
 */
export async function* buildStages(plan: BuildPlan): AsyncGenerator<BuildEvent, BuiltTarget> {
  const ending = new AbortController();
  const signal = AbortSignal.any([plan.request.signal, ending.signal]);
  const channel = new Channel<BuildEvent>();
  const results = new Map<number, Promise<StageState>>();
  const run: WholeRun = { ...plan, request: { ...plan.request, signal }, emit: (event) => channel.push(event) };
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    failure ??= { error };
    ending.abort(error);
    channel.close();
  };
  for (const [stage, first] of numbered(plan)) {
    const result = buildStage(run, stage, { results, first, count: countSteps(plan.plan) });
    result.catch(fail);
    results.set(stage.index, result);
  }
  const settled = Promise.allSettled(results.values()).finally(() => channel.close());
  try {
    yield* channel.read();
  } finally {
    ending.abort();
    channel.close();
    await settled;
  }
  if (failure) throw failure.error;
  const ended = inStage({ ...run, request: plan.request }, { results, index: plan.plan.target });
  return { run: ended, state: await results.get(plan.plan.target)! };
}

/** The number of all steps of a build, as they are shown. */
export const countSteps = (plan: Plan) =>
  plan.preamble.length + plan.needed.reduce((sum, { instructions }) => sum + instructions.length + 1, 0);

/** The stages with the number of their first step. */
function numbered({ plan }: BuildPlan): (readonly [Stage, number])[] {
  let next = plan.preamble.length + 1;
  return plan.needed.map((stage) => {
    const first = next;
    next += stage.instructions.length + 1;
    return [stage, first] as const;
  });
}

interface StagePlace {
  readonly results: StageResults;
  readonly first: number;
  readonly count: number;
}

type WholeRun = Omit<BuildRun, 'openSource'>;

/** The run as one of its stages sees it. */
function inStage(whole: WholeRun, place: { readonly results: StageResults; readonly index: number }): BuildRun {
  const run: BuildRun = {
    ...whole,
    emit: (event: StageEvent) => whole.emit({ ...event, stage: place.index }),
    openSource: (at, name) => openSource(run, place, at, name),
  };
  return run;
}

async function buildStage(whole: WholeRun, stage: Stage, place: StagePlace): Promise<StageState> {
  const run = inStage(whole, { results: place.results, index: stage.index });
  let index = place.first;
  const step = (text: string) => run.emit({ kind: 'step', index: index++, count: place.count, text });
  await step(stage.from.source);
  let state = await startStage(run, stage, place.results);
  const triggers = stage.base.kind === 'image' ? (state.config.OnBuild ?? []) : [];
  if (triggers.length > 0) {
    const { OnBuild: _, ...config } = state.config;
    state = { ...state, config };
    await run.emit({
      kind: 'note',
      text: `Executing ${triggers.length} build trigger${triggers.length === 1 ? '' : 's'}`,
    });
    for (const trigger of triggers) state = await buildInstruction(run, state, parseTrigger(trigger, stage.from.at));
  }
  for (const instruction of stage.instructions) {
    run.request.signal.throwIfAborted();
    await step(instruction.source);
    state = await buildInstruction(run, state, instruction);
  }
  await whole.emit({ kind: 'stage-end', stage: stage.index });
  return state;
}
