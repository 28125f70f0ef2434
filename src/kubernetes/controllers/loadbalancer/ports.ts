import type { EndpointSlice, Node, Service } from '../../types.ts';

/** What a balancer in front of a service is made from. */
export interface LoadBalancerRequest {
  readonly service: Service;
  /** Nodes that may be sent traffic to: ready, and not excluded. */
  readonly nodes: readonly Node[];
  /** Who serves, for balancers that go to pods themselves. */
  readonly slices: readonly EndpointSlice[];
  /** Tells the owner of the service, by an event, of something it asked for that is left out. */
  readonly warn: (message: string) => void;
}

export type LoadBalancerIngress = NonNullable<
  NonNullable<NonNullable<Service['status']>['loadBalancer']>['ingress']
>[number];

/** Balancers in front of services of type `LoadBalancer`, supplied by the room above. Balancers are named by the uid of their service. */
export interface LoadBalancers {
  /** Whether a service is for these balancers: without `spec.loadBalancerClass` or with a class that is theirs. */
  isFor(service: Service): boolean;
  /** Makes it so, and answers where it is reached. Called again whenever service, nodes or endpoints change: the same request changes nothing. */
  ensure(request: LoadBalancerRequest, signal: AbortSignal): Promise<readonly LoadBalancerIngress[]>;
  /** Removes it; succeeds when there is none. */
  remove(service: Service, signal: AbortSignal): Promise<void>;
}
