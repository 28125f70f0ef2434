import { parseFault, type Location } from './fault.ts';
import type { HealthCheck, HealthTiming } from './instruction.ts';
import type { RawInstruction } from './lines.ts';
import { readCommand } from './json.ts';

/** `HEALTHCHECK NONE`, or `HEALTHCHECK [--interval=…] CMD command`. */
export function parseHealthCheck(raw: RawInstruction): HealthCheck {
  const [, word, rest] = /^(\S+)\s*(.*)$/s.exec(raw.text) ?? [];
  const type = word?.toUpperCase();
  if (type === 'NONE') {
    if (rest !== '') throw parseFault(raw.at, 'HEALTHCHECK NONE takes no arguments');
    return { type: 'none' };
  }
  if (type === undefined) throw parseFault(raw.at, 'HEALTHCHECK requires at least one argument');
  if (type !== 'CMD') throw parseFault(raw.at, `Unknown type "${word}" in HEALTHCHECK (try CMD)`);
  if (rest === '') throw parseFault(raw.at, 'Missing command after HEALTHCHECK CMD');
  return { type: 'command', command: readCommand(rest!), timing: readTiming(raw) };
}

function readTiming(raw: RawInstruction): HealthTiming {
  const timing: { -readonly [name in keyof HealthTiming]: HealthTiming[name] } = {};
  for (const { name, value } of raw.flags) {
    if (name === 'interval') timing.Interval = durationNs(raw.at, name, value!);
    if (name === 'timeout') timing.Timeout = durationNs(raw.at, name, value!);
    if (name === 'start-period') timing.StartPeriod = durationNs(raw.at, name, value!);
    if (name === 'start-interval') timing.StartInterval = durationNs(raw.at, name, value!);
    if (name === 'retries') {
      if (!/^\d+$/.test(value!) || Number(value) < 1)
        throw parseFault(raw.at, `--retries of HEALTHCHECK must be at least 1 (not ${value})`);
      timing.Retries = Number(value);
    }
  }
  return timing;
}

const unitsNs: { readonly [unit: string]: number } = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's duration notation: `1m30s`, `500ms`, `0`. */
function durationNs(at: Location, flag: string, text: string): number {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text))
    throw parseFault(at, `--${flag} of HEALTHCHECK: invalid duration "${text}"`);
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    total += Number(count) * unitsNs[unit!]!;
  if (total !== 0 && total < 1e6) throw parseFault(at, `--${flag} of HEALTHCHECK cannot be less than 1ms`);
  return Math.round(total);
}
