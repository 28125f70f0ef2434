import { readJson, parseJsonObject, writeJson } from './json-values.ts';
import type { Structure, Wire, WireError } from './message.ts';
import type { ServiceModel } from './model.ts';

/** AWS JSON 1.0 and 1.1: `POST /` with the operation in `X-Amz-Target`. The two differ in their content type alone. */
export const jsonWire: Wire = {
  name: 'json',
  unknownOperation: { code: 'UnknownOperationException', status: 400 },

  nameOf(request) {
    const target = String(request.headers['x-amz-target'] ?? '');
    return target.slice(target.lastIndexOf('.') + 1);
  },

  find(model, request) {
    const target = String(request.headers['x-amz-target'] ?? '');
    // Some clients put the service's whole name before the prefix: `com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents`.
    const [name = '', prefix = ''] = target.split('.').reverse();
    const operation = prefix === model.targetPrefix ? model.operations.get(name) : undefined;
    if (!operation) return undefined;
    return {
      operation,
      read: () => readJson(operation.input, parseJsonObject(request.body), '', 'own') as Structure,
    };
  },

  write(model, operation, output) {
    const body = operation.output.kind === 'none' ? '{}' : JSON.stringify(writeJson(operation.output, output, 'own'));
    return { status: 200, headers: { 'content-type': contentType(model) }, body };
  },

  writeError(model, error) {
    return {
      status: error.status,
      headers: { 'content-type': contentType(model), ...errorHeaders(model, error) },
      body: JSON.stringify(errorBody(model, error)),
    };
  },
};

function contentType(model: ServiceModel | undefined): string {
  return model?.protocol === 'awsJson1_0' ? 'application/x-amz-json-1.0' : 'application/x-amz-json-1.1';
}

/** The error's type in the header that SDKs read first, and the old Query code for clients that know the service by that. */
export function errorHeaders(model: ServiceModel | undefined, error: WireError): { [name: string]: string } {
  const headers: { [name: string]: string } = { 'x-amzn-errortype': error.code };
  if (model?.isQueryCompatible)
    headers['x-amzn-query-error'] = `${error.queryCode};${error.fault === 'client' ? 'Sender' : 'Receiver'}`;
  return headers;
}

/** `__type`, the message under the name the error's shape gives it, and the shape's other members. */
export function errorBody(model: ServiceModel | undefined, error: WireError): Structure {
  const shape = model?.errors.get(error.code)?.shape;
  const members = shape ? (writeJson(shape, error.members, 'own') as Structure) : {};
  const messageName = shape?.members.some((member) => member.name === 'Message') ? 'Message' : 'message';
  return { __type: error.code, ...members, [messageName]: error.message };
}
