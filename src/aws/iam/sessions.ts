import type { Clock, Random } from '#base';
import type { Store } from '#store';
import type { Principal, SessionCredentials } from '../auth/index.ts';
import type { Directory } from './directory.ts';
import { newId, newSecret } from './names.ts';

/** How long an ended session is remembered, so that its holder is told that it has expired. */
const REMEMBERED_MS = 3_600_000;

export interface SessionMaker {
  /** `principal` lacks only the key, which is made here. */
  create(
    principal: Extract<Principal, { kind: 'assumed-role' | 'user' | 'root' }>,
    durationMs: number,
  ): Promise<Omit<SessionCredentials, 'roleArn'>>;
}

/** Makes temporary credentials and records them. */
export function createSessionMaker(options: {
  readonly store: Store;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
}): SessionMaker {
  const { store, directory, clock, random } = options;
  return {
    async create(principal, durationMs) {
      const accessKeyId = newId(random, 'ASIA');
      // Whole seconds, as the wire has them, and never later than what the caller is told.
      const expiresAt = Math.floor((clock.now() + durationMs) / 1000) * 1000;
      const credentials = {
        accessKeyId,
        secretAccessKey: newSecret(random),
        sessionToken: sessionToken(random),
        expiresAt,
      };
      const lease = await store.grantLease(durationMs + REMEMBERED_MS);
      await directory.sessions.create(
        {
          account: principal.account,
          id: accessKeyId,
          secretAccessKey: credentials.secretAccessKey,
          sessionToken: credentials.sessionToken,
          principal: { ...principal, accessKeyId, ...(principal.kind === 'assumed-role' && { expiresAt }) },
          expiresAt,
        },
        lease.id,
      );
      return credentials;
    },
  };
}

/** Opaque, and of a size that clients are used to. */
function sessionToken(random: Random): string {
  return Buffer.from(random.hex(256), 'hex').toString('base64');
}
