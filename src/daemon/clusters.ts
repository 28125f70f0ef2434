import type { ClusterAccess } from '#aws';
import { isDabbaError } from '#base';
import type { Layout } from './settings.ts';
import { callSocket } from './socket-api.ts';

export type { ClusterAccess } from '#aws';

/** How to reach the clusters of a running daemon; undefined when none runs. */
export async function clustersOf(layout: Layout): Promise<readonly ClusterAccess[] | undefined> {
  try {
    // What control-plane.ts answers.
    return (await callSocket(layout.controlSocket, 'GET /clusters', {
      signal: AbortSignal.timeout(5000),
    })) as readonly ClusterAccess[];
  } catch (error) {
    if (isDabbaError(error, 'Unavailable') || isDabbaError(error, 'Cancelled')) return undefined;
    throw error;
  }
}
