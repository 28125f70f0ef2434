import { createWebSocketStream } from 'ws';
import { KernelError } from '#kernel';
import { StatusError } from '../../status.ts';
import { type DialPort, forwardPorts, portForwardProtocol, tunnelProtocol } from '../../streaming/port-forward.ts';
import { acceptSpdy, chooseStreamProtocol } from '../../streaming/spdy-upgrade.ts';
import { acceptWebSocket, chooseProtocol } from '../../streaming/websocket-session.ts';
import { forwardPortChannels, portChannelProtocol } from '../../streaming/websocket-ports.ts';
import type { Kubelet } from '../kubelet.ts';
import { dialPod } from '../pod/target.ts';
import { dialFailure } from '../probe/probe.ts';
import { findPod } from './containers.ts';
import type { Route, Upgrade } from './route.ts';

const loopback = '127.0.0.1';

/** `portForward`: connections to ports of a pod, made inside its own network. */
export function portForwardRoutes(kubelet: Kubelet): readonly Route[] {
  return [
    {
      kind: 'upgrade',
      path: /^\/portForward\/([^/]+)\/([^/]+)$/,
      handle: async (upgrade) => {
        const [namespace = '', name = ''] = upgrade.parts;
        const run = findPod(kubelet, namespace, name);
        const dial: DialPort = async (port, signal) => {
          try {
            return await dialPod(run, { address: loopback, port }, signal);
          } catch (error) {
            if (error instanceof KernelError)
              throw new Error(dialFailure(error, `${loopback}:${port}`), { cause: error });
            throw error;
          }
        };
        await accept(upgrade, dial, name);
      },
    },
  ];
}

async function accept(upgrade: Upgrade, dial: DialPort, podName: string): Promise<void> {
  const { request, socket, head } = upgrade;
  const wanted = request.headers.upgrade?.toLowerCase();
  if (wanted === 'websocket') {
    const protocol = chooseProtocol(request, [tunnelProtocol, portChannelProtocol]);
    if (protocol === undefined) throw new StatusError('BadRequest', 'no subprotocol of the client is served');
    const ports = protocol === portChannelProtocol ? portsOf(upgrade.query) : [];
    const accepted = await acceptWebSocket(upgrade, protocol);
    return protocol === tunnelProtocol
      ? await forwardPorts(createWebSocketStream(accepted), dial, podName)
      : await forwardPortChannels(accepted, { ports, dial, podName });
  }
  const protocol = wanted === 'spdy/3.1' ? chooseStreamProtocol(request, [portForwardProtocol]) : undefined;
  if (protocol === undefined) throw new StatusError('BadRequest', 'no protocol of the client is served');
  acceptSpdy(socket, protocol);
  if (head.length) socket.unshift(head);
  await forwardPorts(socket, dial, podName);
}

/** `ports=8080&ports=9090` or `ports=8080,9090`. Throws `BadRequest`. */
function portsOf(query: URLSearchParams): readonly number[] {
  const ports = query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .map(Number);
  const isPort = (port: number) => Number.isInteger(port) && port > 0 && port < 65_536;
  // Channels are numbered by one byte, two for each port.
  if (!ports.length || ports.length > 64 || !ports.every(isPort))
    throw new StatusError('BadRequest', 'query parameter "ports" is required, and is a list of ports');
  return ports;
}
