/** Probes and lifecycle hooks: `pkg/apis/core/validation`, "validateProbe", "validateHandler". */
import type { Container, Probe } from '../types.ts';
import {
  atLeastZero,
  each,
  invalidValue,
  forbiddenField,
  messagesOf,
  notSupported,
  required,
  when,
  type Errors,
} from './field.ts';
import { portName, portNumber } from './names.ts';

type Handler = NonNullable<NonNullable<Container['lifecycle']>['postStart']>;
type HttpGet = NonNullable<Handler['httpGet']>;

export function probeErrors(
  probe: Probe | undefined,
  field: string,
  { succeedsOnce }: { readonly succeedsOnce: boolean },
): Errors {
  if (!probe) return [];
  const { terminationGracePeriodSeconds: grace, successThreshold } = probe;
  return [
    ...handlerErrors(probe, field),
    ...atLeastZero(probe.initialDelaySeconds, `${field}.initialDelaySeconds`),
    ...atLeastZero(probe.timeoutSeconds, `${field}.timeoutSeconds`),
    ...atLeastZero(probe.periodSeconds, `${field}.periodSeconds`),
    ...atLeastZero(successThreshold, `${field}.successThreshold`),
    ...atLeastZero(probe.failureThreshold, `${field}.failureThreshold`),
    ...when(grace !== undefined && grace <= 0, () =>
      invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'),
    ),
    ...when(succeedsOnce && successThreshold !== undefined && successThreshold !== 1, () =>
      invalidValue(`${field}.successThreshold`, successThreshold, 'must be 1'),
    ),
    ...when(!succeedsOnce && grace !== undefined, () =>
      invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'),
    ),
  ];
}

export function handlerErrors(handler: (Handler & Pick<Probe, 'grpc'>) | undefined, field: string): Errors {
  if (!handler) return [];
  const kinds = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter(
    (kind) => handler[kind] !== undefined,
  );
  if (kinds.length === 0) return [required(field, 'must specify a handler type')];
  return [
    ...kinds.slice(1).map((kind) => forbiddenField(`${field}.${kind}`, 'may not specify more than 1 handler type')),
    ...when(handler.exec && !handler.exec.command?.length, () => required(`${field}.exec.command`)),
    ...(handler.httpGet ? httpErrors(handler.httpGet, `${field}.httpGet`) : []),
    ...(handler.tcpSocket ? portOrNameErrors(handler.tcpSocket.port, `${field}.tcpSocket.port`) : []),
    ...(handler.grpc ? messagesOf(portNumber(handler.grpc.port), `${field}.grpc.port`, handler.grpc.port) : []),
    ...when(handler.sleep && handler.sleep.seconds < 0, () =>
      invalidValue(
        `${field}.sleep`,
        handler.sleep?.seconds,
        'must be greater than 0 and less than terminationGracePeriodSeconds',
      ),
    ),
  ];
}

function httpErrors({ path, port, scheme = 'HTTP', httpHeaders }: HttpGet, field: string): Errors {
  return [
    ...when(path === '', () => required(`${field}.path`)),
    ...portOrNameErrors(port, `${field}.port`),
    ...when(!['HTTP', 'HTTPS'].includes(scheme), () => notSupported(`${field}.scheme`, scheme, ['HTTP', 'HTTPS'])),
    ...each(httpHeaders, `${field}.httpHeaders`, ({ name }) =>
      when(!/^[-A-Za-z0-9]+$/.test(name ?? ''), () =>
        invalidValue(
          `${field}.httpHeaders`,
          name,
          "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
        ),
      ),
    ),
  ];
}

/** A port by its number, or by the name the container gives it. */
export function portOrNameErrors(port: unknown, field: string): Errors {
  if (typeof port === 'string') return messagesOf(portName(port), field, port);
  return messagesOf(portNumber(port), field, port ?? 0);
}
