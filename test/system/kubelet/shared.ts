import { after, before } from 'node:test';
import { jsonLogger } from '#base';
import { NodeWorld } from './world.ts';

const logger = process.env['KUBELET_LOG']
  ? jsonLogger(
      (line) => process.stderr.write(line),
      () => Date.now(),
    )
  : undefined;

/** One node for all suites. */
export const world = new NodeWorld(logger);
before(() => world.start());
after(() => world[Symbol.asyncDispose]());
