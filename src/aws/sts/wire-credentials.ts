import type { Credentials } from '@aws-sdk/client-sts';
import type { SessionMaker } from '../iam/index.ts';

/** Credentials of a session as STS answers them. */
export function wireCredentials(session: Awaited<ReturnType<SessionMaker['create']>>): Credentials {
  return {
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    SessionToken: session.sessionToken,
    Expiration: new Date(session.expiresAt),
  };
}
