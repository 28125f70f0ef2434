import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import {
  missingMember,
  modelOf,
  selectWire,
  type ServiceModel,
  type Structure,
  type Wire,
  type WireReply,
} from '../../src/aws/wire/index.ts';

/** One request as botocore made it, with what it means and what is to be answered. */
interface Sample {
  readonly serviceId: string;
  readonly service: string;
  readonly protocol: string;
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  readonly input: unknown;
  readonly output: unknown;
}

const SEED = 7;
const root = join(import.meta.dirname, '../..');
const hasBotocore = spawnSync('python3', ['-c', 'import botocore']).status === 0;

/** Every service whose SDK package we depend on. EKS, not built yet, stands in the tests for the REST-JSON protocol. */
async function loadModels(): Promise<Map<string, ServiceModel>> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: object;
    devDependencies: object;
  };
  const packages = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter((name) =>
    name.startsWith('@aws-sdk/client-'),
  );
  const models = await Promise.all(packages.map(async (name) => modelOf((await import(name)) as object)));
  return new Map(models.map((model) => [model.serviceId, model]));
}

async function python(script: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn('python3', [join(import.meta.dirname, script), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Values as they travel between us and Python: bytes and instants are marked, numbers are numbers. */
function marked(value: unknown): unknown {
  if (value instanceof Date) return { $time: value.getTime() };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(marked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, marked(item)]));
}

function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== 'object' || value === null) return value;
  const { $time: time, $bytes: bytes } = value as { $time?: number; $bytes?: string };
  if (time !== undefined) return new Date(time);
  if (bytes !== undefined) return Buffer.from(bytes, 'base64');
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unmarked(item)]));
}

/** The first difference between two values, by path. */
function difference(wanted: unknown, got: unknown, path = ''): string | undefined {
  if (isDeepStrictEqual(wanted, got)) return undefined;
  const isObject = (value: unknown): value is Structure => typeof value === 'object' && value !== null;
  if (!isObject(wanted) || !isObject(got))
    return `${path}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`;
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(got)])) {
    const found = difference(wanted[key], got[key], `${path}.${key}`);
    if (found) return found;
  }
  return `${path}: differs`;
}

async function wireOf(sample: Sample, model: ServiceModel): Promise<Wire> {
  return selectWire(sample, model.protocol);
}

/** What our reader makes of a request that is not what botocore meant. */
function readFault(sample: Sample, model: ServiceModel, wire: Wire): string | undefined {
  const call = wire.find(model, { ...sample, body: Buffer.from(sample.body, 'base64') });
  if (call?.operation.name !== sample.operation) return ` is taken for ${call?.operation.name}`;
  const input = call.read();
  const missing = missingMember(call.operation.input, input);
  return missing === undefined ? difference(sample.input, marked(input)) : ` ${missing} is said to be missing`;
}

const replyLine = (sample: Sample, reply: WireReply, rest: object) =>
  JSON.stringify({
    service: sample.service,
    protocol: sample.protocol,
    operation: sample.operation,
    status: reply.status,
    headers: reply.headers,
    body: Buffer.from(reply.body as Uint8Array).toString('base64'),
    ...rest,
  });

/** Every error of the service, written as an answer to one of its operations. */
function errorLines(sample: Sample, model: ServiceModel, wire: Wire): string[] {
  return [...model.errors.values()].map((error) => {
    const queryCode = error.query?.code ?? error.name;
    const message = `the <${error.name}> & more`;
    const status = error.query?.status ?? error.httpStatus ?? 400;
    const reply = wire.writeError(
      model,
      { code: error.name, queryCode, message, status, fault: error.fault, members: {} },
      'id',
    );
    const isByQueryCode = wire.name === 'query' || wire.name === 'ec2' || model.isQueryCompatible;
    return replyLine(sample, reply, { error: { Code: isByQueryCode ? queryCode : error.name, Message: message } });
  });
}

test(
  'botocore and we read and write the same',
  { skip: hasBotocore ? false : 'python3 has no botocore' },
  async (t) => {
    const models = await loadModels();
    const lines = (await python('botocore-requests.py', [String(SEED), ...models.keys()], '')).trim().split('\n');
    const samples = lines.map((line) => JSON.parse(line) as Sample);
    assert.ok(samples.length > 1000, `botocore made only ${samples.length} requests`);
    assert.deepEqual(
      new Set(samples.map((sample) => sample.serviceId)),
      new Set(models.keys()),
      'every service was swept',
    );

    const faults: string[] = [];
    const replies: string[] = [];
    const seen = new Map<string, number>();
    for (const sample of samples) {
      const model = models.get(sample.serviceId)!;
      const wire = await wireOf(sample, model);
      const fault = readFault(sample, model, wire);
      if (fault !== undefined) faults.push(`${sample.service}/${sample.protocol}.${sample.operation}${fault}`);
      const operation = model.operations.get(sample.operation)!;
      const reply = wire.write(model, operation, unmarked(sample.output) as Structure, 'id');
      replies.push(replyLine(sample, reply, { output: sample.output }));
      const key = `${sample.service}/${sample.protocol}`;
      if (!seen.has(key)) replies.push(...errorLines(sample, model, wire));
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    for (const [key, count] of seen) t.diagnostic(`${key}: ${count} operations`);
    assert.deepEqual(faults, [], 'requests read otherwise than botocore meant them');

    const verdict = JSON.parse(await python('botocore-responses.py', [], replies.join('\n'))) as {
      compared: number;
      differences: string[];
    };
    t.diagnostic(`${samples.length} requests and ${verdict.compared} replies compared`);
    assert.equal(verdict.compared, replies.length);
    assert.deepEqual(verdict.differences, [], 'replies that botocore reads otherwise than we meant them');
  },
);
