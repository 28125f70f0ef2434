import { readFileSync, writeFileSync } from 'node:fs';

/** Reads a setting under /proc/sys/net of the calling thread's namespace. `name` has slashes: `ipv4/ip_forward`. */
export function readSysctl(name: string): string {
  return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim();
}

export function writeSysctl(name: string, value: string | number): void {
  writeFileSync(`/proc/sys/net/${name}`, String(value));
}

/** Tells this boot of the machine from every other. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
