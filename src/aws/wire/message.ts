import type { IncomingHttpHeaders } from 'node:http';
import type { ServiceModel } from './model.ts';
import type { OperationSchema } from './schema.ts';

/** Typed input or output of an operation, or any structure in it. */
export type Structure = { [member: string]: unknown };

/** A request as it came, its body read whole. */
export interface WireRequest {
  readonly method: string;
  /** As sent: percent-encoded, without the query. */
  readonly path: string;
  /** Without the `?`. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface WireReply {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string | Uint8Array;
}

/** An error with everything that any of the protocols says about it. */
export interface WireError {
  /** The error shape's name. */
  readonly code: string;
  /** The code in the Query protocols, and for clients that still think in them. */
  readonly queryCode: string;
  readonly message: string;
  readonly status: number;
  readonly fault: 'client' | 'server';
  readonly members: { readonly [name: string]: unknown };
}

/** A call whose operation is known and whose input has not been looked at. */
export interface WireCall {
  readonly operation: OperationSchema;
  /** Throws `AwsError` when the input is not what the model says. */
  read(): Structure;
}

export type WireName = 'json' | 'cbor' | 'rest-json' | 'query' | 'ec2';

/** One wire format: bytes to typed values and back. Pure. */
export interface Wire {
  readonly name: WireName;
  /** What a request that names no operation of the service is told. */
  readonly unknownOperation: { readonly code: string; readonly status: number };
  /** The operation that a request means; undefined when the service has no such operation. */
  find(model: ServiceModel, request: WireRequest): WireCall | undefined;
  /** The name the request gives its operation, for messages and for calls without a signature; empty when it gives none. */
  nameOf(request: WireRequest): string;
  write(model: ServiceModel, operation: OperationSchema, output: Structure, requestId: string): WireReply;
  /** `model` is undefined when the request could not even be given to a service. */
  writeError(model: ServiceModel | undefined, error: WireError, requestId: string): WireReply;
}
