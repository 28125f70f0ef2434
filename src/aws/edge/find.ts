import { readClaim, SignatureFault } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import { selectWire } from '../wire/index.ts';
import type { Call } from './call.ts';
import type { Services } from './services.ts';

/** Fills in the claim, the service that its credential scope names, and the wire format. A call without a signature has none of these yet. */
export async function findService(call: Call, services: Services): Promise<void> {
  call.wire = await selectWire(call.http, undefined);
  const claim = readClaim(call.http.headers, call.http.query);
  if (!claim) return;
  call.claim = claim;
  const definition = services.bySigningName(claim.service);
  if (!definition)
    throw new AwsError('UnsupportedOperation', `dabba does not provide the service "${claim.service.slice(0, 60)}".`, {
      status: 501,
    });
  call.service = await services.load(definition);
  call.wire = await selectWire(call.http, call.service.model.protocol);
  checkHost(call.http.headers.host ?? '', claim.service, claim.region);
}

/** Fills in the operation; for a call without a signature also the service, which it can only mean by an operation that needs none. */
export async function findOperation(call: Call, services: Services): Promise<void> {
  const wire = call.wire!;
  if (!call.service) {
    const definition = services.byUnsignedOperation(wire.nameOf(call.http));
    if (!definition) throw new SignatureFault('missing', 'Missing Authentication Token');
    call.service = await services.load(definition);
    call.wire = await selectWire(call.http, call.service.model.protocol);
  }
  const wireCall = call.wire!.find(call.service.model, call.http);
  if (!wireCall) {
    const { code, status } = call.wire!.unknownOperation;
    const name = wire.nameOf(call.http).slice(0, 100);
    throw new AwsError(code, `The action ${name} is not valid for ${call.service.definition.name}.`, { status });
  }
  call.wireCall = wireCall;
}

/** A host name that names a service and region must name those of the signature. Local host names say nothing. */
function checkHost(host: string, service: string, region: string): void {
  const match = /^([a-z0-9-]+)\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?::\d+)?$/.exec(host);
  if (match && match[2] !== region)
    throw new SignatureFault('wrong-scope', `Credential should be scoped to a valid region, not '${region}'.`);
  if (match && match[1] === 'sts' && service !== 'sts')
    throw new SignatureFault('wrong-scope', `Credential should be scoped to correct service: 'sts'.`);
}
