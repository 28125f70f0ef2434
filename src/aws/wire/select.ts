import type { IncomingHttpHeaders } from 'node:http';
import { jsonWire } from './json.ts';
import type { Wire, WireName } from './message.ts';
import type { Protocol } from './model.ts';
import { ec2Wire, queryWire } from './query.ts';
import { restJsonWire } from './rest-json.ts';

/**
 * The wire format of a request, read off the request itself, so that a service known under several (CloudWatch) serves them all. `protocol` is the
 * service's own and decides between those that look alike; without it (a request for no service we know) the guess only shapes the error.
 */
export async function selectWire(
  request: { readonly method: string; readonly query: string; readonly headers: IncomingHttpHeaders },
  protocol: Protocol | undefined,
): Promise<Wire> {
  const { headers } = request;
  if (headers['smithy-protocol'] === 'rpc-v2-cbor') return wireByName('cbor');
  if (headers['x-amz-target'] !== undefined) return jsonWire;
  if (protocol === 'restJson1') return restJsonWire;
  if (protocol === 'ec2Query') return ec2Wire;
  if (protocol !== undefined) return queryWire;
  const looksLikeForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
  return looksLikeForm || /(^|&)Action=/.test(request.query) ? queryWire : restJsonWire;
}

/** CBOR is rare and its library large, so it is loaded when first spoken. */
export async function wireByName(name: WireName): Promise<Wire> {
  switch (name) {
    case 'json':
      return jsonWire;
    case 'rest-json':
      return restJsonWire;
    case 'query':
      return queryWire;
    case 'ec2':
      return ec2Wire;
    default:
      return (await import('./cbor.ts')).cborWire;
  }
}
