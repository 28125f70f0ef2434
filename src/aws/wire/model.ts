import { errorSchemas, operationSchemas, type ErrorSchema, type OperationSchema } from './schema.ts';

export type Protocol = 'awsJson1_0' | 'awsJson1_1' | 'restJson1' | 'awsQuery' | 'ec2Query';

/** A service as its SDK package describes it. */
export interface ServiceModel {
  readonly serviceId: string;
  readonly protocol: Protocol;
  /** What stands before the operation in `X-Amz-Target`. */
  readonly targetPrefix: string;
  readonly xmlNamespace: string;
  /** Speaks JSON or CBOR to new clients but is known to old ones by the codes of the Query protocol. */
  readonly isQueryCompatible: boolean;
  readonly operations: ReadonlyMap<string, OperationSchema>;
  /** By shape name. */
  readonly errors: ReadonlyMap<string, ErrorSchema>;
  /** By the code that the Query protocols use. */
  readonly errorsByQueryCode: ReadonlyMap<string, ErrorSchema>;
}

interface ClientConfig {
  readonly serviceId: string;
  readonly protocol: { getShapeId(): string };
  readonly protocolSettings: {
    readonly serviceTarget: string;
    readonly xmlNamespace: string;
    readonly awsQueryCompatible?: boolean;
  };
}

const protocols: readonly string[] = ['awsJson1_0', 'awsJson1_1', 'restJson1', 'awsQuery', 'ec2Query'];

/** Reads an SDK package (`await import('@aws-sdk/client-ecs')`). Throws when it is none, or speaks a protocol that we don't. */
export function modelOf(sdk: object): ServiceModel {
  const config = configOf(sdk);
  const protocol = config.protocol.getShapeId().split('#')[1] ?? '';
  if (!protocols.includes(protocol)) throw new Error(`${config.serviceId} speaks ${protocol}, which is not built`);
  const errors = errorSchemas(sdk);
  return {
    serviceId: config.serviceId,
    protocol: protocol as Protocol,
    targetPrefix: config.protocolSettings.serviceTarget,
    xmlNamespace: config.protocolSettings.xmlNamespace,
    isQueryCompatible: config.protocolSettings.awsQueryCompatible === true,
    operations: operationSchemas(sdk),
    errors,
    errorsByQueryCode: new Map(
      [...errors.values()].flatMap((error) => (error.query ? [[error.query.code, error]] : [])),
    ),
  };
}

/** The protocol's settings are published only on a client, so one is made; it opens nothing. */
function configOf(sdk: object): ClientConfig {
  const found = Object.entries(sdk).find(
    ([name, value]) => /^[A-Z].*Client$/.test(name) && typeof value === 'function',
  );
  if (!found) throw new Error('this module exports no SDK client');
  const Client = found[1] as new (options: object) => { readonly config: ClientConfig };
  return new Client({ region: 'us-east-1', credentials: { accessKeyId: '-', secretAccessKey: '-' } }).config;
}
