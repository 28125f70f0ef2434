import { DabbaError } from '#base';
import type { Container } from '#engine';
import type { Api } from './api.ts';

type Test = (container: Container) => boolean;

/** The filters of GET /containers/json as one test: each must hold for one of its values (`label`: for all). */
export async function containerFilter(api: Api, filters: ReadonlyMap<string, readonly string[]>): Promise<Test> {
  const tests = await Promise.all([...filters].map(([name, values]) => testOf(api, name, values)));
  return (container) => tests.every((test) => test(container));
}

async function testOf(api: Api, name: string, values: readonly string[]): Promise<Test> {
  const some = (test: (container: Container, value: string) => boolean): Test => {
    return (container) => values.some((value) => test(container, value));
  };
  switch (name) {
    case 'id':
      return some(({ id }, value) => id.startsWith(value));
    case 'name': {
      const expressions = values.map(expressionOf);
      return ({ name }) => expressions.some((expression) => expression.test(name) || expression.test(`/${name}`));
    }
    case 'label':
      return (container) => values.every((value) => hasLabel(container, value));
    case 'status':
      return some(({ state }, value) => state.status === value);
    case 'exited':
      return some(({ state }, value) => state.status === 'exited' && state.exitCode === Number(value));
    case 'health':
      return some(({ state }, value) => (state.health?.status ?? 'none') === value);
    case 'network':
      return some(
        ({ create, endpoints }, value) =>
          create.network.mode === value ||
          endpoints.some(({ network }) => network?.name === value || network?.id.startsWith(value)),
      );
    case 'publish':
      return some(({ publishedPorts }, value) =>
        publishedPorts.some(({ hostPort, protocol }) => isPort(value, hostPort, protocol)),
      );
    case 'expose':
      return some(({ exposedPorts }, value) =>
        exposedPorts.some(({ containerPort, protocol }) => isPort(value, containerPort, protocol)),
      );
    case 'volume':
      return some(({ mounts }, value) =>
        mounts.some((mount) => mount.target === value || (mount.kind === 'volume' && mount.name === value)),
      );
    case 'is-task': // of a swarm, which there is none of
      return () => values.some((value) => ['0', 'false'].includes(value.toLowerCase()));
    case 'ancestor': {
      const images = await Promise.all(values.map((value) => api.engine.images.find(value)));
      const ids = new Set(images.map((image) => image?.id));
      return ({ imageId, create }) => ids.has(imageId) || values.includes(create.image);
    }
    case 'before':
    case 'since': {
      const instants = await Promise.all(values.map((value) => createdAt(api, value)));
      return (container) =>
        instants.every((instant) =>
          name === 'before' ? container.createdAt < instant : container.createdAt > instant,
        );
    }
    default:
      throw new DabbaError('InvalidArgument', `invalid filter '${name}'`);
  }
}

/** `80`, `8000-8010`, with or without `/tcp`. */
function isPort(wanted: string, port: number, protocol: string): boolean {
  const [, first, last = first, wantedProtocol = 'tcp'] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z]+))?$/.exec(wanted) ?? [];
  if (first === undefined) throw new DabbaError('InvalidArgument', `invalid port "${wanted}"`);
  return Number(first) <= port && port <= Number(last) && wantedProtocol === protocol;
}

async function createdAt({ engine }: Api, name: string): Promise<number> {
  const container = await engine.containers.find(name);
  if (!container) throw new DabbaError('NotFound', `No such container: ${name}`);
  return container.createdAt;
}

/** `name` or `name=value`. */
export function hasLabel({ create }: Container, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  const label = create.labels?.[equals < 0 ? wanted : wanted.slice(0, equals)];
  return label !== undefined && (equals < 0 || label === wanted.slice(equals + 1));
}

function expressionOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new DabbaError('InvalidArgument', `filter name: "${text}" is not a regular expression`, { cause: error });
  }
}
