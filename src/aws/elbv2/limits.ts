import type { Handlers } from '../service.ts';
import { mustFindBalancer } from './find.ts';
import type { Elbv2State } from './records.ts';

/** Quotas of network load balancers that hold here: "Quotas for your Network Load Balancers". */
const limits = {
  'listeners-per-network-load-balancer': 50,
  'target-groups-per-action-on-network-load-balancer': 1,
};

export function limitHandlers(state: Elbv2State) {
  return {
    async DescribeAccountLimits() {
      return { Limits: Object.entries(limits).map(([Name, Max]) => ({ Name, Max: String(Max) })) };
    },

    /** Capacity cannot be reserved here, so nothing is. */
    async DescribeCapacityReservation(input, context) {
      await mustFindBalancer(state, context, input.LoadBalancerArn);
      return { CapacityReservationState: [] };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-elastic-load-balancing-v2')>;
}
