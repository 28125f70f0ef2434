import type { Clock, Logger, Random } from '#base';
import type { Store } from '#store';
import { createAuthorizer, type Authorizer, type Identities } from '../auth/index.ts';
import type { ServiceDefinition } from '../service.ts';
import { Directory } from './directory.ts';
import { createPolicySource } from './grants.ts';
import { createIdentities, type RootKey } from './identities.ts';
import { createIamService } from './service.ts';
import { createSessionMaker, type SessionMaker } from './sessions.ts';

export interface IamOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ends the watch over the store. */
  readonly signal: AbortSignal;
  /** Root keys by configuration: `--account ID --root-key KEYID:SECRET`. */
  readonly rootKeys?: readonly RootKey[];
  /** `test`/`test` and `<12 digits>`/`test` are roots. Only while all listeners are on loopback. */
  readonly wellKnownKeys: boolean;
}

/** The identity system: who may sign, what they may do, and the API that says so. */
export interface Iam {
  readonly identities: Identities;
  /** The same without the well-known keys: for calls that come from elsewhere than loopback. */
  readonly guestIdentities: Identities;
  readonly authorizer: Authorizer;
  readonly service: ServiceDefinition;
  /** For STS. */
  readonly directory: Directory;
  readonly sessions: SessionMaker;
}

/** Reads all identities into memory and follows them. */
export async function openIam(options: IamOptions): Promise<Iam> {
  const { clock, random } = options;
  const directory = await Directory.open(options);
  const authorizer = createAuthorizer({ policies: createPolicySource(directory), clock });
  const sessions = createSessionMaker({ store: options.store, directory, clock, random });
  const identitiesWith = (wellKnownKeys: boolean) =>
    createIdentities({ directory, authorizer, sessions, clock, rootKeys: options.rootKeys ?? [], wellKnownKeys });
  const identities = identitiesWith(options.wellKnownKeys);
  const guestIdentities = identitiesWith(false);
  const service = createIamService({ directory, authorizer, clock, random });
  return { identities, guestIdentities, authorizer, service, directory, sessions };
}
