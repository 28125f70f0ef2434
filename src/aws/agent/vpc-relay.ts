import type { Duplex } from 'node:stream';
import { createServer } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { messageOf, type Logger } from '#base';
import type { LinkLocalServer } from '#network';
import type { VpcCaller } from '../vpc-addresses.ts';

export interface VpcRelayParts {
  /** A connection to what answers that speaks for this caller. Throws `Unavailable`. */
  readonly dial: (caller: VpcCaller, signal: AbortSignal) => Promise<Duplex>;
  readonly logger: Logger;
  /** How long a connection may be silent. Default: as long as through an interface endpoint (AWS PrivateLink Guide, "Access an AWS service"). */
  readonly idleMs?: number;
}

/** How long the control plane may take to answer a dial; SDKs try again. */
const DIAL_MS = 5000;
const IDLE_MS = 350_000;

/** Carries connections from inside a VPC to the control plane, byte for byte: signatures cover the host and headers as the client wrote them. */
export function vpcRelay({ dial, logger, idleMs = IDLE_MS }: VpcRelayParts): LinkLocalServer {
  return ({ vpcId }) =>
    createServer({ allowHalfOpen: true }, (near) => {
      near.on('error', () => near.destroy());
      // Nobody else ends what a client leaves open in the middle of a question.
      near.setTimeout(idleMs, () => near.destroy());
      const address = near.remoteAddress?.replace(/^::ffff:/, '') ?? '';
      dial({ vpcId, address }, AbortSignal.timeout(DIAL_MS)).then(
        (far) => {
          // Either side may reset at any time, which the pipelines pass on to the other.
          void Promise.allSettled([pipeline(near, far), pipeline(far, near)]);
        },
        (error: unknown) => {
          logger.warn('a connection from a VPC could not be carried on', { vpcId, error: messageOf(error) });
          near.destroy();
        },
      );
    });
}
