import type { CallObserver } from '../edge/index.ts';
import type { MetricStore } from './metric-store.ts';

/** Counts every call as AWS does: `AWS/Usage` `CallCount` by service and operation. */
export function callMetrics(metrics: MetricStore): CallObserver {
  return {
    observe({ call, endedAt }) {
      const { service, wireCall, principal } = call;
      if (!service || !wireCall || !principal || principal.kind === 'anonymous') return;
      metrics.add(
        {
          account: principal.account,
          region: call.claim?.region ?? 'us-east-1',
          namespace: 'AWS/Usage',
          name: 'CallCount',
          dimensions: {
            Type: 'API',
            Resource: wireCall.operation.name,
            Service: service.model.serviceId,
            Class: 'None',
          },
        },
        1,
        endedAt,
      );
    },
  };
}
