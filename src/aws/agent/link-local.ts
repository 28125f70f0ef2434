import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { messageOf, type Logger, isoSeconds } from '#base';
import type { LinkLocalServer } from '#network';
import { credentialsPath, metadataPath } from './addresses.ts';
import { containerMetadata, taskMetadata } from './metadata.ts';
import type { RoleCredentials } from './role-credentials.ts';
import type { FoundSandbox, SandboxLocator } from './sandboxes.ts';

export interface LinkLocalParts {
  readonly sandboxes: SandboxLocator;
  readonly roles: RoleCredentials;
  readonly logger: Logger;
}

/** How long the control plane may take to give credentials; the SDKs inside ask again. */
const ANSWER_MS = 5000;

/**
 * What tasks find at 169.254.170.2: the credentials of their task role and their metadata, version 4. Who asks is known by the address the
 * question comes from, which the VPC does not let anybody forge.
 */
export function linkLocalServer(parts: LinkLocalParts): LinkLocalServer {
  return ({ vpcId }) =>
    createServer((request, response) => {
      answer(parts, vpcId, request).then(
        (document) =>
          reply(
            response,
            document === undefined ? 404 : 200,
            document ?? { code: 'NotFound', message: 'There is nothing here for you' },
          ),
        (error: unknown) => {
          parts.logger.warn('a question of a task could not be answered', {
            path: request.url,
            error: messageOf(error),
          });
          reply(response, 500, { code: 'InternalError', message: 'The question could not be answered; ask again' });
        },
      );
    });
}

function reply(response: ServerResponse, status: number, document: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

/** The document at a path for whoever asks; undefined when there is none for them. */
async function answer(parts: LinkLocalParts, vpcId: string, request: IncomingMessage): Promise<object | undefined> {
  const address = request.socket.remoteAddress?.replace(/^::ffff:/, '');
  if (request.method !== 'GET' || !address) return undefined;
  const found = await parts.sandboxes.find(vpcId, address);
  const path = request.url?.split('?')[0] ?? '';
  if (!found) return undefined;
  return path === credentialsPath(found.spec) ? credentials(parts, found) : metadata(found, path);
}

async function credentials({ roles }: LinkLocalParts, { spec }: FoundSandbox): Promise<object | undefined> {
  const roleArn = spec.facts?.taskRole;
  if (!roleArn) return undefined;
  const session = await roles.task(spec.identity, AbortSignal.timeout(ANSWER_MS));
  return {
    RoleArn: roleArn,
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    Token: session.sessionToken,
    Expiration: isoSeconds(session.expiresAt),
  };
}

function metadata(found: FoundSandbox, path: string): object | undefined {
  for (const container of found.spec.containers) {
    const own = metadataPath(found.spec, container);
    if (path === own) return containerMetadata(found, container);
    if (path === `${own}/task` || path === `${own}/taskWithTags`) return taskMetadata(found);
  }
  return undefined;
}
