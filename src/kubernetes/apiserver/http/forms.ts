/** Stored objects in the forms clients ask for: plain, as a table, metadata alone. */
import { stringify } from 'yaml';
import { apiVersionOf } from '../../object.ts';
import { envelope, listEnvelope } from '../../schema/protobuf-encode.ts';
import { bytesIn, convert, type ListAnswer, fieldIn, objectIn } from '../operations/read.ts';
import { type Scale, scaleColumns } from '../operations/scale.ts';
import type { ApiParts, Call } from '../parts.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { type Exchange, parameter } from './exchange.ts';
import type { Negotiated } from './negotiate.ts';
import { sendBytes, sendObject, sendPieces } from './respond.ts';
import { columnsOf, includeObjectOf, partialMetadata, tableOf } from './table.ts';

interface OneOptions {
  readonly call: Call;
  readonly as: Negotiated;
  readonly stored: StoredObject;
  readonly code: number;
}

export function sendStored(parts: ApiParts, exchange: Exchange, { call, as, stored, code }: OneOptions): void {
  const object = () => objectIn(call.version, stored);
  if (as.transform === 'Table') {
    const { resourceVersion = '' } = stored.object.metadata ?? {};
    const table = tableOf(columnsOf(call), [object()], {
      includeObject: includeObjectOf(parameter(exchange, 'includeObject')),
      now: parts.clock.now(),
      metaVersion: as.metaVersion,
      metadata: { resourceVersion },
    });
    return sendObject(exchange, table, { code, as });
  }
  if (as.transform !== 'none') return sendObject(exchange, partialMetadata(object(), as.metaVersion), { code, as });
  if (as.form === 'yaml') return sendObject(exchange, object(), { code, as });
  if (as.form === 'protobuf') {
    const bytes = envelope(call.version, fieldIn(parts, call.version, stored));
    return sendBytes(exchange, bytes, { code, contentType: as.contentType });
  }
  sendBytes(exchange, bytesIn(call.version, stored), { code });
}

interface ScaleOptions {
  readonly as: Negotiated;
  readonly scale: Scale;
  readonly code: number;
}

export function sendScale(parts: ApiParts, exchange: Exchange, { as, scale, code }: ScaleOptions): void {
  if (as.transform !== 'Table') return sendObject(exchange, scale, { as, code });
  const table = tableOf(scaleColumns, [scale], {
    includeObject: includeObjectOf(parameter(exchange, 'includeObject')),
    now: parts.clock.now(),
    metaVersion: as.metaVersion,
    metadata: { resourceVersion: scale.metadata?.resourceVersion ?? '' },
  });
  sendObject(exchange, table, { as, code });
}

interface ListOptions {
  readonly call: Call;
  readonly as: Negotiated;
  readonly found: ListAnswer;
}

export async function sendStoredList(
  parts: ApiParts,
  exchange: Exchange,
  { call, as, found }: ListOptions,
): Promise<void> {
  const { objects, ...metadata } = found;
  await convert(call.version, objects);
  if (as.transform === 'Table') {
    const table = tableOf(
      columnsOf(call),
      objects.map((stored) => objectIn(call.version, stored)),
      {
        includeObject: includeObjectOf(parameter(exchange, 'includeObject')),
        now: parts.clock.now(),
        metaVersion: as.metaVersion,
        metadata,
      },
    );
    return sendObject(exchange, table, { as });
  }
  if (as.transform !== 'none') {
    const items = objects.map((stored) => partialMetadata(objectIn(call.version, stored), as.metaVersion));
    const apiVersion = `meta.k8s.io/${as.metaVersion}`;
    return sendObject(exchange, { kind: 'PartialObjectMetadataList', apiVersion, metadata, items }, { as });
  }
  const head = { kind: `${call.version.kind}List`, apiVersion: apiVersionOf(call.version), metadata };
  if (as.form === 'yaml') {
    const items = objects.map((stored) => objectIn(call.version, stored));
    return sendBytes(exchange, Buffer.from(stringify({ ...head, items })), { contentType: as.contentType });
  }
  const sent = as.form === 'protobuf' ? protobufPieces(parts, call, found) : pieces(call, head, objects);
  await sendPieces(exchange, sent, as.contentType);
}

/** The same in protobuf. */
function protobufPieces(parts: ApiParts, { version }: Call, { objects, ...metadata }: ListAnswer): Iterable<Buffer> {
  const kind = { ...version, kind: `${version.kind}List` };
  const items = objects.map((stored) => fieldIn(parts, version, stored));
  return listEnvelope(kind, parts.schemas.protobufMessage(kind, { metadata }), items);
}

const comma = Buffer.from(',');

/** The bytes of a list: what is stored, one behind the other. */
function* pieces({ version }: Call, head: object, objects: readonly StoredObject[]): Generator<Buffer> {
  yield Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`);
  let isFirst = true;
  for (const stored of objects) {
    if (!isFirst) yield comma;
    isFirst = false;
    yield bytesIn(version, stored);
  }
  yield Buffer.from(']}\n');
}
