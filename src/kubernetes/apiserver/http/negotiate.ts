/** Which form of the answer a client wants. Source: apiserver `endpoints/handlers/negotiation`. */
import { StatusError } from '../../status.ts';

export type Form = 'json' | 'yaml';
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

/** Throws `NotAcceptable` when nothing the client takes can be made. */
export function negotiate(header: string | undefined): Negotiated {
  for (const { type, parameters } of readAccept(header)) {
    const form = formOf(type);
    if (!form) continue;
    const as = parameters.get('as');
    const transform = as === undefined ? 'none' : transforms.find((name) => name === as);
    const metaVersion = parameters.get('v') ?? 'v1';
    if (!transform || (as && (parameters.get('g') !== 'meta.k8s.io' || !['v1', 'v1beta1'].includes(metaVersion))))
      continue;
    const contentType = form === 'yaml' ? 'application/yaml' : 'application/json';
    return { form, transform, contentType, metaVersion };
  }
  throw notAcceptable();
}

export function notAcceptable(): StatusError {
  return new StatusError(
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/yaml',
  );
}

function formOf(type: string): Form | undefined {
  if (['application/json', '*/*', 'application/*', ''].includes(type)) return 'json';
  return type === 'application/yaml' ? 'yaml' : undefined;
}
