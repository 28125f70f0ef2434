import { forgetState, layoutOf, takeDown } from '#daemon';
import { text, type Command } from './command.ts';
import { requireRoot } from './doctor.ts';

export const reset: Command = {
  summary: 'stop dabba and forget all state of a data directory',
  usage: '[--data DIR]',
  options: {},
  async run(invocation) {
    requireRoot();
    const layout = layoutOf(text(invocation, 'data'));
    await takeDown(layout);
    await forgetState(layout);
    process.stdout.write(`dabba is down and ${layout.data} is empty\n`);
    return 0;
  },
};
