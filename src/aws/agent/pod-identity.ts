import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isDabbaError, messageOf, type ErrorKind, type Logger, isoSeconds } from '#base';
import type { LinkLocalServer } from '#network';
import type { Credentials } from './signed-request.ts';

export interface PodIdentityParts {
  /** Sessions of pods' roles; the control plane gives them. Throws `NotFound` for who has none, `PermissionDenied` for who is refused one. */
  readonly credentials: (
    asking: { readonly vpcId: string; readonly address: string; readonly token: string },
    signal: AbortSignal,
  ) => Promise<Credentials & { readonly roleArn: string }>;
  readonly logger: Logger;
}

/** How long the control plane may take; the SDKs inside ask again. */
const ANSWER_MS = 5000;
const MAX_TOKEN_LENGTH = 8000;

/** The EKS Pod Identity agent of a VPC: `GET /v1/credentials` with the token that was put into the pod. */
export function podIdentityServer({ credentials, logger }: PodIdentityParts): LinkLocalServer {
  return ({ vpcId }) =>
    createServer((request, response) => {
      answer(request, vpcId, credentials).then(
        ({ status, document }) => reply(response, status, document),
        (error: unknown) => {
          logger.warn('a pod could not be given credentials', { vpcId, error: messageOf(error) });
          reply(response, 500, { message: 'The question could not be answered; ask again' });
        },
      );
    });
}

const refusals: { readonly [Kind in ErrorKind]?: number } = { NotFound: 404, PermissionDenied: 403 };

interface Answer {
  readonly status: number;
  readonly document: object;
}

async function answer(
  request: IncomingMessage,
  vpcId: string,
  credentials: PodIdentityParts['credentials'],
): Promise<Answer> {
  const address = request.socket.remoteAddress?.replace(/^::ffff:/, '');
  const token = request.headers.authorization ?? '';
  if (request.method !== 'GET' || request.url?.split('?')[0] !== '/v1/credentials' || !address)
    return { status: 404, document: { message: 'There is nothing here for you' } };
  if (!token || token.length > MAX_TOKEN_LENGTH)
    return { status: 400, document: { message: 'Service account token cannot be empty' } };
  try {
    const session = await credentials({ vpcId, address, token }, AbortSignal.timeout(ANSWER_MS));
    return {
      status: 200,
      document: {
        AccessKeyId: session.accessKeyId,
        SecretAccessKey: session.secretAccessKey,
        Token: session.sessionToken,
        AccountId: session.roleArn.split(':')[4],
        Expiration: isoSeconds(session.expiresAt),
      },
    };
  } catch (error) {
    // Only what was decided is told; that nobody answered, or not in time, is a fault of ours, after which SDKs ask again.
    const status = isDabbaError(error) ? refusals[error.kind] : undefined;
    if (status === undefined) throw error;
    return { status, document: { message: messageOf(error) } };
  }
}

function reply(response: ServerResponse, status: number, document: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}
