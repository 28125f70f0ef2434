import { layoutOf, takeDown } from '#daemon';
import { text, type Command } from './command.ts';
import { requireRoot } from './doctor.ts';

export const down: Command = {
  summary: 'stop dabba and everything it runs, leaving no mount, namespace or process; state stays',
  usage: '[--data DIR]',
  options: {},
  async run(invocation) {
    requireRoot();
    const layout = layoutOf(text(invocation, 'data'));
    const outcome = await takeDown(layout);
    process.stdout.write(
      outcome === 'nothing'
        ? `nothing was running on ${layout.data}\n`
        : `dabba is down; its state stays in ${layout.data}\n`,
    );
    return 0;
  },
};
