import type { ExposedPort } from '../engine.ts';
import type { Instance } from './instance.ts';
import type { Neighbours } from './lifecycle.ts';
import { findLinked } from './links.ts';
import type { Runtime } from './runtime.ts';

/**
 * The variables that tell a container of those it is linked to on the default network, which resolves no names (Docker, "Legacy container
 * links", Environment variables). Elsewhere there are none, as in Docker. A link whose container is gone tells nothing.
 */
export function linkEnvironment(
  { networks }: Pick<Runtime, 'networks'>,
  { record }: Instance,
  neighbours: Pick<Neighbours, 'find'>,
): readonly string[] {
  const links = record.create.links ?? [];
  if (links.length === 0) return [];
  const nameless = new Set(networks.list().flatMap(({ id, resolvesNames }) => (resolvesNames ? [] : [id])));
  const shared = networks.endpoints(record.id).find(({ networkId }) => nameless.has(networkId))?.networkId;
  return links.flatMap(({ container, alias }) => {
    const linked = findLinked(neighbours, container);
    const endpoint = linked && networks.endpoints(linked.id).find(({ networkId }) => networkId === shared);
    if (!endpoint) return [];
    return linkVariables({
      name: `/${record.name}/${alias}`,
      alias,
      address: endpoint.privateIp,
      ports: linked.record.exposedPorts ?? [],
      environment: linked.record.process.environment,
    });
  });
}

/** A link as its variables tell it. */
export interface LinkFacts {
  /** `/web/db`: who is linked, and by what name to whom. */
  readonly name: string;
  readonly alias: string;
  readonly address: string;
  readonly ports: readonly ExposedPort[];
  readonly environment: readonly string[];
}

/** The variables of one link. */
export function linkVariables({ name, alias, address, ports, environment }: LinkFacts): readonly string[] {
  const prefix = alias.toUpperCase().replaceAll('-', '_');
  const url = ({ protocol, containerPort }: ExposedPort) => `${protocol}://${address}:${containerPort}`;
  const keyOf = ({ containerPort, protocol }: ExposedPort) =>
    `${prefix}_PORT_${containerPort}_${protocol.toUpperCase()}`;
  const lowest = ports.toSorted(byNumber)[0];
  const ordered = ports.toSorted(
    (a, b) => Number(b.protocol === 'tcp') - Number(a.protocol === 'tcp') || byNumber(a, b),
  );
  const ranges = rangesOf(ordered).flatMap(([first, last]) => [
    `${keyOf(first)}_START=${url(first)}`,
    `${keyOf(first)}_ADDR=${address}`,
    `${keyOf(first)}_PROTO=${first.protocol}`,
    `${keyOf(first)}_PORT_START=${first.containerPort}`,
    `${keyOf(first)}_END=${url(last)}`,
    `${keyOf(first)}_PORT_END=${last.containerPort}`,
  ]);
  const singles = ordered.flatMap((port) => [
    `${keyOf(port)}=${url(port)}`,
    `${keyOf(port)}_ADDR=${address}`,
    `${keyOf(port)}_PORT=${port.containerPort}`,
    `${keyOf(port)}_PROTO=${port.protocol}`,
  ]);
  const inherited = environment
    .filter((variable) => !/^(?:HOME|PATH|HOSTNAME)=/.test(variable))
    .map((variable) => `${prefix}_ENV_${variable}`);
  return [
    ...(lowest ? [`${prefix}_PORT=${url(lowest)}`] : []),
    ...ranges,
    ...singles,
    `${prefix}_NAME=${name}`,
    ...inherited,
  ];
}

const byNumber = (a: ExposedPort, b: ExposedPort) =>
  a.containerPort - b.containerPort || Number(b.protocol === 'tcp') - Number(a.protocol === 'tcp');

/** First and last of each run of two ports or more of one protocol. */
function rangesOf(ports: readonly ExposedPort[]): readonly (readonly [ExposedPort, ExposedPort])[] {
  const runs: [ExposedPort, ExposedPort][] = [];
  for (const port of ports) {
    const run = runs.at(-1);
    if (run?.[1].protocol === port.protocol && run[1].containerPort + 1 === port.containerPort) run[1] = port;
    else runs.push([port, port]);
  }
  return runs.filter(([first, last]) => first !== last);
}
