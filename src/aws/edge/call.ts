import type { Principal, SignatureClaim } from '../auth/index.ts';
import type { AwsError } from '../errors.ts';
import type { CallContext, ServiceDefinition } from '../service.ts';
import type { ServiceModel, Structure, Wire, WireCall, WireRequest } from '../wire/index.ts';

/** A service whose SDK package has been loaded. */
export interface LoadedService {
  readonly definition: ServiceDefinition;
  readonly model: ServiceModel;
}

/** One call on its way through the edge. Each step fills in what it found; what is missing was not reached. */
export interface Call {
  readonly requestId: string;
  readonly startedAt: number;
  readonly sourceIp: string;
  /** Set for a caller inside a VPC; `sourceIp` is its address there. */
  readonly vpcId?: string;
  readonly userAgent: string;
  /** Base URL the client used. */
  readonly endpoint: string;
  readonly isSecure: boolean;
  /** The body is empty until it has been read. */
  http: WireRequest;
  claim?: SignatureClaim;
  service?: LoadedService;
  wire?: Wire;
  wireCall?: WireCall;
  principal?: Principal;
  context?: CallContext;
  /** ARNs that permission was asked for. */
  resources?: readonly string[];
  input?: Structure;
  /** What the service made of the input, for the permissions and the handler; `unresolved` is why it could not. */
  resolved?: Structure;
  unresolved?: AwsError;
}

/** How a call ended, for the audit trail, the metrics and whoever else looks on. Observers must not keep or change the values. */
export interface FinishedCall {
  readonly call: Call;
  readonly output: Structure | undefined;
  readonly error: { readonly code: string; readonly message: string; readonly status: number } | undefined;
  readonly endedAt: number;
}
