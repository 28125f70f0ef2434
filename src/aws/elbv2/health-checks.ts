import { validationError } from './find.ts';
import type { HealthCheckRecord, Protocol } from './records.ts';

interface WireHealthCheck {
  readonly HealthCheckProtocol?: string | undefined;
  readonly HealthCheckPort?: string | undefined;
  readonly HealthCheckEnabled?: boolean | undefined;
  readonly HealthCheckPath?: string | undefined;
  readonly HealthCheckIntervalSeconds?: number | undefined;
  readonly HealthCheckTimeoutSeconds?: number | undefined;
  readonly HealthyThresholdCount?: number | undefined;
  readonly UnhealthyThresholdCount?: number | undefined;
  readonly Matcher?: { readonly HttpCode?: string | undefined; readonly GrpcCode?: string | undefined } | undefined;
}

/** Reads what a call says of health checks over what was there: "Health checks for Network Load Balancer target groups". */
export function readHealthCheck(input: WireHealthCheck, before?: HealthCheckRecord): HealthCheckRecord {
  if (input.HealthCheckEnabled === false)
    throw validationError('Health check enabled must be true for target groups with this target type');
  const protocol = readProtocol(input.HealthCheckProtocol) ?? before?.protocol ?? 'TCP';
  const isTcp = protocol === 'TCP';
  if (isTcp && (input.HealthCheckPath !== undefined || input.Matcher !== undefined))
    throw validationError('Health check path and matcher are not supported for health checks with protocol TCP');
  const checked: HealthCheckRecord = {
    protocol,
    port: readPort(input.HealthCheckPort) ?? before?.port ?? 'traffic-port',
    ...(isTcp
      ? {}
      : {
          path: readPath(input.HealthCheckPath) ?? before?.path ?? '/',
          matcher: readMatcher(input.Matcher?.HttpCode) ?? before?.matcher ?? '200-399',
        }),
    intervalS: within(input.HealthCheckIntervalSeconds, 5, 300, 'interval') ?? before?.intervalS ?? 30,
    timeoutS:
      within(input.HealthCheckTimeoutSeconds, 2, 120, 'timeout') ?? before?.timeoutS ?? (protocol === 'HTTP' ? 6 : 10),
    healthyThreshold: within(input.HealthyThresholdCount, 2, 10, 'healthy threshold') ?? before?.healthyThreshold ?? 5,
    unhealthyThreshold:
      within(input.UnhealthyThresholdCount, 2, 10, 'unhealthy threshold') ?? before?.unhealthyThreshold ?? 2,
  };
  if (input.HealthCheckTimeoutSeconds !== undefined && checked.timeoutS > checked.intervalS)
    throw validationError('Health check timeout must not be longer than the interval');
  return { ...checked, timeoutS: Math.min(checked.timeoutS, checked.intervalS) };
}

/** What group protocols a network load balancer forwards to. */
export function readGroupProtocol(protocol: string | undefined): Protocol {
  if (protocol === 'TCP' || protocol === 'UDP' || protocol === 'TCP_UDP') return protocol;
  throw validationError(`Protocol '${protocol ?? ''}' is not supported for target groups of network load balancers`);
}

function readProtocol(protocol: string | undefined): HealthCheckRecord['protocol'] | undefined {
  if (protocol === undefined || protocol === 'TCP' || protocol === 'HTTP' || protocol === 'HTTPS') return protocol;
  throw validationError(`Health check protocol '${protocol}' is not supported`);
}

function readPort(port: string | undefined): string | undefined {
  if (port === undefined || port === 'traffic-port') return port;
  if (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535) return port;
  throw validationError(`Health check port '${port}' must be either 'traffic-port' or a number between 1 and 65535`);
}

function readPath(path: string | undefined): string | undefined {
  if (path === undefined || /^\/[\x21-\x7e]{0,1023}$/.test(path)) return path;
  throw validationError(`Health check path '${path}' must begin with '/' and have at most 1024 printable characters`);
}

function readMatcher(matcher: string | undefined): string | undefined {
  if (matcher === undefined || /^[1-5]\d\d(-[1-5]\d\d)?(,[1-5]\d\d(-[1-5]\d\d)?)*$/.test(matcher)) return matcher;
  throw validationError(`Health check matcher HTTP code '${matcher}' must be within '200-599' inclusive`);
}

function within(value: number | undefined, first: number, last: number, what: string): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= first && value <= last)) return value;
  throw validationError(`Health check ${what} '${value}' must be between ${first} and ${last}`);
}
