import { DabbaError } from '#base';
import { allCapabilities, defaultCapabilities } from './defaults.ts';
import type { OciCapabilities } from './oci.ts';

export interface CapabilityRequest {
  readonly isPrivileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
  /** Capabilities this machine's root has, which is all we can give. */
  readonly available: ReadonlySet<string>;
}

/**
 * The capabilities of a container, as Docker joins them: dropping comes first, `ALL` stands for every one, and the prefix `CAP_` may be
 * left out. A privileged container has all. Those the machine itself lacks are left out. Throws `InvalidArgument` for an unknown name.
 */
export function resolveCapabilities(request: CapabilityRequest): ReadonlySet<string> {
  const add = request.add.map(normalise);
  const drop = request.drop.map(normalise);
  const wanted = new Set(request.isPrivileged || add.includes(everyCapability) ? allCapabilities : defaultCapabilities);
  if (!request.isPrivileged) {
    for (const name of drop.includes(everyCapability) ? wanted : drop) if (!add.includes(name)) wanted.delete(name);
    for (const name of add) if (name !== everyCapability) wanted.add(name);
  }
  return new Set([...wanted].filter((name) => request.available.has(name)));
}

/**
 * How a process holds them. Another user than root gets them in the bounding set alone, as an execve by that user would leave it
 * (capabilities(7), "Transformation of capabilities during execve").
 */
export function processCapabilities(capabilities: ReadonlySet<string>, uid: number): OciCapabilities {
  const names = [...capabilities];
  return uid === 0 ? { bounding: names, effective: names, permitted: names } : { bounding: names };
}

const everyCapability = 'CAP_ALL';
const known = new Set([...allCapabilities, everyCapability]);

function normalise(name: string): string {
  const upper = name.toUpperCase();
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!known.has(full)) throw new DabbaError('InvalidArgument', `invalid capability "${name}"`);
  return full;
}
