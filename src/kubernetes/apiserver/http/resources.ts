/** Requests on resources: from what the URL asks to an operation, and its outcome back onto the wire. */
import type { KubernetesObject } from '../../object.ts';
import { StatusError } from '../../status.ts';
import type { DeleteOptions } from '../../types.ts';
import { create } from '../operations/create.ts';
import { deletedStatus, remove, removeCollection } from '../operations/delete.ts';
import { isPosted, post, postedKind } from '../operations/post.ts';
import { convert, get, list, objectIn } from '../operations/read.ts';
import { scaleOf } from '../operations/scale.ts';
import { namesVersion, update } from '../operations/update.ts';
import type { ApiParts, Call, NamedCall } from '../parts.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { decodeBody, readBody } from './body.ts';
import { type Exchange, flag, parameter } from './exchange.ts';
import { sendScale, sendStored, sendStoredList } from './forms.ts';
import { notAcceptable } from './negotiate.ts';
import { negotiatedFor } from './negotiated.ts';
import { expectedOf } from './expected.ts';
import { patchOf } from './patch.ts';
import { notAllowed } from './refusals.ts';
import { sendObject } from './respond.ts';
import { streamWatch } from './watch-stream.ts';

type Handler = (parts: ApiParts, exchange: Exchange, call: NamedCall) => Promise<void>;

const handlers: { readonly [verb: string]: Handler } = {
  get: getOne,
  list: listAll,
  watch: (parts, exchange, call) => streamWatch(parts, exchange, call),
  create: createOne,
  update: replaceOne,
  patch: patchOne,
  delete: deleteOne,
  deletecollection: deleteAll,
};

/** Serves a call that is allowed. Throws what the client is told. */
export async function serveResource(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  const { verb } = exchange.info;
  const handler = handlers[verb];
  if (!handler || !isSupported(call, verb)) throw notAllowed();
  const { deprecationWarning } = call.version;
  if (deprecationWarning) exchange.warnings.add(deprecationWarning);
  await handler(parts, exchange, call);
}

function isSupported({ resource, subresource }: Call, verb: string): boolean {
  if (subresource === undefined) return resource.verbs.some((known) => known === verb);
  const part = resource.subresources.get(subresource);
  if (!part) return false;
  if (part.kind === 'scale') return ['get', 'update', 'patch'].includes(verb);
  if (part.kind === 'post') return verb === 'create';
  return part.verbs.some((known) => known === verb);
}

async function getOne(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  await answer(parts, exchange, call, await get(parts, call));
}

async function listAll(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  const as = negotiatedFor(parts, exchange, call);
  const found = await list(parts, call, listQuery(exchange, call));
  await sendStoredList(parts, exchange, { call, as, found });
}

export function listQuery(exchange: Exchange, { namespace, resource }: Call) {
  return {
    namespace: resource.type.isNamespaced ? namespace : undefined,
    labelSelector: parameter(exchange, 'labelSelector'),
    fieldSelector: parameter(exchange, 'fieldSelector'),
    limit: limitOf(exchange),
    continue: parameter(exchange, 'continue'),
    resourceVersion: parameter(exchange, 'resourceVersion'),
    resourceVersionMatch: parameter(exchange, 'resourceVersionMatch'),
  };
}

function limitOf(exchange: Exchange): number {
  const text = parameter(exchange, 'limit') ?? '0';
  if (!/^-?\d{1,15}$/.test(text))
    throw new StatusError('BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Math.max(0, Number(text));
}

async function createOne(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  const as = negotiatedFor(parts, exchange, call);
  if (isPosted(call)) {
    if (as.transform !== 'none') throw notAcceptable(true);
    const kind = postedKind(call);
    const body = decodeBody(parts, exchange, await readBody(exchange), { kind, schema: parts.schemas.of(kind) });
    return sendObject(exchange, await post(parts, call, body), { code: 201, as });
  }
  if (call.name) throw notAllowed();
  const body = decodeBody(parts, exchange, await readBody(exchange), expectedOf(parts, call));
  const created = await create(parts, call, body);
  exchange.createdName = created.object.metadata?.name;
  await answer(parts, exchange, call, created, 201);
}

async function replaceOne(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  negotiatedFor(parts, exchange, call);
  const body = decodeBody(parts, exchange, await readBody(exchange), expectedOf(parts, call));
  const { stored, isCreated } = await update(parts, call, {
    next: () => withVersion(body),
    isPinned: namesVersion(body),
    mayCreate: call.resource.strategy.isCreatedOnUpdate,
  });
  await answer(parts, exchange, call, stored, isCreated ? 201 : 200);
}

/** A PUT says its version, if only that it has none. */
function withVersion(body: KubernetesObject): KubernetesObject {
  return { ...body, metadata: { ...body.metadata, resourceVersion: body.metadata?.resourceVersion ?? '' } };
}

async function patchOne(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  negotiatedFor(parts, exchange, call);
  const change = patchOf(parts, exchange, call, await readBody(exchange));
  const { stored, isCreated } = await update(parts, call, change);
  await answer(parts, exchange, call, stored, isCreated ? 201 : 200);
}

async function deleteOne(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  const as = negotiatedFor(parts, exchange, call);
  const options = await deleteOptions(parts, exchange);
  const { stored, isGone } = await remove(parts, dry(call, options), options);
  if (isGone && !call.resource.strategy.returnsDeleted) {
    const told = as.form === 'protobuf' ? { as } : {};
    return sendObject(exchange, deletedStatus(call, stored), told);
  }
  await answer(parts, exchange, call, stored);
}

async function deleteAll(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  const as = negotiatedFor(parts, exchange, call);
  const options = await deleteOptions(parts, exchange);
  const objects = await removeCollection(parts, dry(call, options), listQuery(exchange, call), options);
  const found = { objects, resourceVersion: String(parts.feed.revision) };
  await sendStoredList(parts, exchange, { call, as, found });
}

function dry<T extends Call>(call: T, { dryRun }: DeleteOptions): T {
  return { ...call, isDryRun: call.isDryRun || (dryRun?.includes('All') ?? false) };
}

/** Of the body, or of the query where there is none. */
async function deleteOptions(parts: ApiParts, exchange: Exchange): Promise<DeleteOptions> {
  const body = await readBody(exchange);
  const kind = { group: '', version: 'v1', kind: 'DeleteOptions' };
  if (body.length) {
    const { apiVersion: _apiVersion, kind: _kind, ...rest } = await decodeOptions(parts, exchange, body);
    return rest as DeleteOptions;
  }
  const grace = parameter(exchange, 'gracePeriodSeconds');
  const policy = parameter(exchange, 'propagationPolicy');
  const orphan = parameter(exchange, 'orphanDependents');
  return {
    kind: kind.kind,
    ...(grace !== undefined && { gracePeriodSeconds: Number(grace) }),
    ...(policy !== undefined && { propagationPolicy: policy }),
    ...(orphan !== undefined && { orphanDependents: flag(exchange, 'orphanDependents') }),
  };
}

/** Options come under any group version: clients put them into the one of the resource, or `meta.k8s.io/v1`. */
async function decodeOptions(parts: ApiParts, exchange: Exchange, body: Buffer): Promise<KubernetesObject> {
  const kind = { group: '', version: 'v1', kind: 'DeleteOptions' };
  const schema = parts.schemas.of(kind);
  return decodeBody(parts, exchange, body, { kind, schema, isAnyVersion: true });
}

/** One object in the form the client asked for. */
async function answer(
  parts: ApiParts,
  exchange: Exchange,
  call: NamedCall,
  stored: StoredObject,
  code = 200,
): Promise<void> {
  await convert(call.version, [stored]);
  const as = negotiatedFor(parts, exchange, call);
  const part = call.subresource === undefined ? undefined : call.resource.subresources.get(call.subresource);
  if (part?.kind === 'scale')
    return sendScale(parts, exchange, { as, scale: scaleOf(call, part, objectIn(call.version, stored)), code });
  sendStored(parts, exchange, { call, as, stored, code });
}
