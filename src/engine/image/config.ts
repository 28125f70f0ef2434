import { arch } from 'node:os';
import { DabbaError, type Digest, digestOf, isDigest } from '#base';
import type { Image, ImageConfig, Platform } from '../engine.ts';
import type { CreateImage } from './internals.ts';
import { listOf, objectOf, parseJson } from './manifest.ts';

/** What an image's config says of it; the rest of `Image` is ours to know. */
export type DescribedImage = Omit<Image, 'references' | 'repoDigests' | 'sizeBytes'>;

/** Go's name of this machine's architecture, as images have it. */
export function machineArchitecture(): string {
  const names: { readonly [name: string]: string } = { x64: 'amd64', arm64: 'arm64' };
  return names[arch()] ?? arch();
}

export function machinePlatform(): Platform {
  return { os: 'linux', architecture: machineArchitecture() };
}

/** `linux/arm64/v8`. */
export function platformName({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** The config document of a new image (OCI image specification, "Image Configuration"); equal requests give equal bytes. */
export function encodeConfig(request: CreateImage, createdAt: number): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: request.architecture ?? machineArchitecture(),
      ...(request.author !== undefined && { author: request.author }),
      config: request.config,
      created: new Date(createdAt).toISOString(),
      history: request.history,
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: request.diffIds },
    }),
  );
}

/** Reads a config document. Throws `InvalidArgument` for what is malformed; unknown members are left out. */
export function decodeConfig(bytes: Buffer): DescribedImage {
  const document = objectOf(parseJson(bytes), 'image config');
  const rootfs = objectOf(document['rootfs'], 'image config rootfs');
  const author = textIn(document, 'author');
  const createdAt = Date.parse(textIn(document, 'created') ?? '');
  return {
    id: digestOf(bytes),
    config: runtimeConfig(isPresent(document['config']) ? objectOf(document['config'], 'image config') : {}),
    architecture: textIn(document, 'architecture') ?? '',
    os: textIn(document, 'os') ?? 'linux',
    createdAt: Number.isNaN(createdAt) ? 0 : createdAt,
    ...(author !== undefined && { author }),
    diffIds: listOf(rootfs['diff_ids'] ?? [], 'diff_ids').map(diffIdOf),
    history: isPresent(document['history']) ? listOf(document['history'], 'history').map(historyEntry) : [],
  };
}

type Json = { readonly [name: string]: unknown };

function runtimeConfig(config: Json): ImageConfig {
  return {
    ...texts(config, ['User', 'WorkingDir', 'StopSignal']),
    ...lists(config, ['Env', 'Entrypoint', 'Cmd', 'Shell', 'OnBuild']),
    ...maps(config),
    ...healthcheck(config['Healthcheck']),
  };
}

function texts<Name extends string>(config: Json, names: readonly Name[]): { readonly [name in Name]?: string } {
  const found: { [name in Name]?: string } = {};
  for (const name of names) {
    const value = textIn(config, name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

function lists<Name extends string>(
  config: Json,
  names: readonly Name[],
): { readonly [name in Name]?: readonly string[] } {
  const found: { [name in Name]?: readonly string[] } = {};
  for (const name of names) if (isPresent(config[name])) found[name] = textsOf(config[name], name);
  return found;
}

function maps(config: Json): Pick<ImageConfig, 'ExposedPorts' | 'Volumes' | 'Labels'> {
  const keys = (name: string) => Object.fromEntries(Object.keys(objectOf(config[name], name)).map((key) => [key, {}]));
  return {
    ...(isPresent(config['ExposedPorts']) && { ExposedPorts: keys('ExposedPorts') }),
    ...(isPresent(config['Volumes']) && { Volumes: keys('Volumes') }),
    ...(isPresent(config['Labels']) && {
      Labels: Object.fromEntries(
        Object.entries(objectOf(config['Labels'], 'Labels')).map(([key, value]) => [key, textOf(value, 'Labels')]),
      ),
    }),
  };
}

function healthcheck(value: unknown): Pick<ImageConfig, 'Healthcheck'> {
  if (!isPresent(value)) return {};
  const check = objectOf(value, 'Healthcheck');
  const numbers: { [name in 'Interval' | 'Timeout' | 'StartPeriod' | 'Retries']?: number } = {};
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'Retries'] as const) {
    const number = check[name];
    if (typeof number === 'number') numbers[name] = number;
  }
  return { Healthcheck: { ...lists(check, ['Test']), ...numbers } };
}

function historyEntry(value: unknown): Image['history'][number] {
  const entry = objectOf(value, 'history');
  return {
    ...texts(entry, ['created', 'created_by', 'comment', 'cache_key']),
    ...(entry['empty_layer'] === true && { empty_layer: true }),
  };
}

function diffIdOf(value: unknown): Digest {
  if (typeof value === 'string' && isDigest(value)) return value;
  throw new DabbaError('InvalidArgument', `image config holds diff ID "${String(value)}"`);
}

/** Go writes what is empty as null. */
function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function textIn(object: Json, name: string): string | undefined {
  return isPresent(object[name]) ? textOf(object[name], name) : undefined;
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw new DabbaError('InvalidArgument', `image config: "${name}" is not text`);
}

function textsOf(value: unknown, name: string): readonly string[] {
  return listOf(value, name).map((each) => textOf(each, name));
}
