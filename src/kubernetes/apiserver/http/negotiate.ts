/** Which form of the answer a client wants. Source: apiserver `endpoints/handlers/negotiation`. */
import { StatusError } from '../../status.ts';

export type Form = 'json' | 'yaml' | 'protobuf';
export type Transform = 'none' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';

export interface Negotiated {
  readonly form: Form;
  readonly transform: Transform;
  /** What the answer's `Content-Type` is. */
  readonly contentType: string;
  readonly metaVersion: string;
}

export interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The media ranges of an `Accept` header, best first. */
export function readAccept(header: string | undefined): readonly MediaRange[] {
  const ranges = (header ?? '*/*').split(',').map(readRange);
  const weight = ({ parameters }: MediaRange) => Number(parameters.get('q') ?? 1) || 0;
  // Stable: equal weights stay in the client's order.
  return ranges.toSorted((a, b) => weight(b) - weight(a));
}

function readRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = rest.map((part) => {
    const at = part.indexOf('=');
    return at < 0 ? ([part, ''] as const) : ([part.slice(0, at), part.slice(at + 1)] as const);
  });
  return { type: type.toLowerCase(), parameters: new Map(parameters) };
}

const transforms = ['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList'] as const;

const contentTypes: { readonly [form in Form]: string } = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

/**
 * Throws `NotAcceptable` when nothing the client takes can be made. Of what has no protobuf form (custom resources) metadata alone is given in it; of tables, nothing:
 * apiserver `endpoints/handlers/rest.go` and `meta/v1` "Table", `+protobuf=false`.
 */
export function negotiate(header: string | undefined, hasProtobuf = false): Negotiated {
  for (const { type, parameters } of readAccept(header)) {
    const form = formOf(type);
    if (!form) continue;
    const as = parameters.get('as');
    if (form === 'protobuf' && (as === 'Table' || (as === undefined && !hasProtobuf))) continue;
    const transform = as === undefined ? 'none' : transforms.find((name) => name === as);
    const metaVersion = parameters.get('v') ?? 'v1';
    if (!transform || (as && (parameters.get('g') !== 'meta.k8s.io' || !['v1', 'v1beta1'].includes(metaVersion))))
      continue;
    return { form, transform, contentType: contentTypes[form], metaVersion };
  }
  throw notAcceptable(hasProtobuf);
}

export function notAcceptable(hasProtobuf: boolean): StatusError {
  const { json, yaml, protobuf } = contentTypes;
  const known = hasProtobuf ? [json, yaml, protobuf] : [json, yaml];
  return new StatusError('NotAcceptable', `only the following media types are accepted: ${known.join(', ')}`);
}

function formOf(type: string): Form | undefined {
  if (['application/json', '*/*', 'application/*', ''].includes(type)) return 'json';
  if (type === contentTypes.protobuf) return 'protobuf';
  return type === contentTypes.yaml ? 'yaml' : undefined;
}
