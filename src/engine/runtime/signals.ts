import { constants } from 'node:os';
import { DabbaError } from '#base';

const [firstRealTime, lastRealTime] = [34, 64] as const;

/** Number of a signal given as `SIGTERM`, `TERM`, `15` or `SIGRTMIN+3` (signal(7)). Throws `InvalidArgument`. */
export function signalNumber(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RT(MIN\+|MAX-)(\d+)$/.exec(name);
  const number = /^\d+$/.test(name)
    ? Number(name)
    : realTime
      ? realTime[1] === 'MIN+'
        ? firstRealTime + Number(realTime[2])
        : lastRealTime - Number(realTime[2])
      : (constants.signals[`SIG${name}` as NodeJS.Signals] as number | undefined);
  if (number === undefined || number < 1 || number > lastRealTime)
    throw new DabbaError('InvalidArgument', `Invalid signal: ${text}`);
  return number;
}
