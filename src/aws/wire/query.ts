import { readForm, type QueryDialect } from './form.ts';
import type { Wire, WireReply, WireRequest } from './message.ts';
import { escapeXml, writeXml } from './xml.ts';

const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** AWS Query: a form with `Action`, answered in XML. */
export const queryWire: Wire = {
  ...queryReader('query'),
  write(model, operation, output, requestId) {
    const result =
      operation.output.kind === 'structure'
        ? `<${operation.name}Result>${writeXml(operation.output, output)}</${operation.name}Result>`
        : '';
    return xml(
      200,
      `<${operation.name}Response xmlns="${model.xmlNamespace}">${result}` +
        `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${operation.name}Response>`,
    );
  },
  writeError(model, error, requestId) {
    return xml(
      error.status,
      `<ErrorResponse xmlns="${model?.xmlNamespace ?? ''}"><Error><Type>${error.fault === 'client' ? 'Sender' : 'Receiver'}</Type>` +
        `<Code>${escapeXml(error.queryCode)}</Code><Message>${escapeXml(error.message)}</Message></Error>` +
        `<RequestId>${requestId}</RequestId></ErrorResponse>`,
    );
  },
};

/** EC2's dialect of the Query protocol. */
export const ec2Wire: Wire = {
  ...queryReader('ec2'),
  write(model, operation, output, requestId) {
    const result = operation.output.kind === 'structure' ? writeXml(operation.output, output) : '<return>true</return>';
    return xml(
      200,
      `${XML_DECLARATION}<${operation.name}Response xmlns="${model.xmlNamespace}/"><requestId>${requestId}</requestId>` +
        `${result}</${operation.name}Response>`,
    );
  },
  writeError(_model, error, requestId) {
    return xml(
      error.status,
      `${XML_DECLARATION}<Response><Errors><Error><Code>${escapeXml(error.queryCode)}</Code>` +
        `<Message>${escapeXml(error.message)}</Message></Error></Errors><RequestID>${requestId}</RequestID></Response>`,
    );
  },
};

function queryReader(dialect: QueryDialect): Pick<Wire, 'name' | 'unknownOperation' | 'nameOf' | 'find'> {
  return {
    name: dialect,
    unknownOperation: { code: 'InvalidAction', status: 400 },
    nameOf: (request) => formOf(request).get('Action') ?? '',
    find(model, request) {
      const form = formOf(request);
      const operation = model.operations.get(form.get('Action') ?? '');
      return operation && { operation, read: () => readForm(operation.input, form, dialect) };
    },
  };
}

/** A GET carries the form in its query, and so does a presigned POST. */
function formOf(request: WireRequest): URLSearchParams {
  return new URLSearchParams(request.body.length ? request.body.toString('utf8') : request.query);
}

function xml(status: number, body: string): WireReply {
  return { status, headers: { 'content-type': 'text/xml' }, body };
}
