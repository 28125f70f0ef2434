import { recordId } from '#network';
import type { SessionCredentials } from '../../auth/index.ts';
import type { InstanceRecord } from '../instance-records.ts';
import type { MetadataCaller } from './caller.ts';
import type { MetadataParts } from './server.ts';
import { isoSeconds, type InstanceFacts, type InstanceRole } from './tree.ts';

const SESSION_MS = 6 * 3_600_000;
/** A session with less left is replaced before it is given: the same guide promises new ones five minutes before the old ones end. */
const RENEW_BEFORE_MS = 5 * 60_000;
const MAX_SESSIONS = 1000;

/** Reads what the tree is made of. Throws when the records of an instance that lives do not hold together. */
export async function instanceFacts(
  { records, profiles }: Pick<MetadataParts, 'records' | 'profiles'>,
  { instance, networkInterface }: MetadataCaller,
  sessions: RoleSessions,
): Promise<InstanceFacts> {
  const idOf = (id: string) => recordId({ ...instance, id });
  const [subnet, vpc, ...groups] = await Promise.all([
    records.subnets.get(idOf(instance.subnetId)),
    records.vpcs.get(idOf(instance.vpcId)),
    ...networkInterface.securityGroupIds.map(async (id) => await records.securityGroups.get(idOf(id))),
  ]);
  if (!subnet || !vpc) throw new Error(`the subnet of ${instance.id} is gone`);
  const profile = instance.instanceProfile && profiles(instance.tenant, instance.instanceProfile.arn);
  const roleArn = instance.roleArn ?? profile?.roleArn;
  return {
    instance,
    networkInterface,
    subnet: subnet.value,
    vpc: vpc.value,
    groups: groups.flatMap((group) => (group ? [group.value] : [])),
    role: roleArn === undefined ? undefined : roleOf(instance, roleArn, sessions),
  };
}

function roleOf(instance: InstanceRecord, roleArn: string, sessions: RoleSessions): InstanceRole {
  return {
    name: roleArn.slice(roleArn.lastIndexOf('/') + 1),
    profile: instance.instanceProfile,
    async credentials() {
      const { issuedAt, accessKeyId, secretAccessKey, sessionToken, expiresAt } = await sessions.of(instance, roleArn);
      const document = {
        Code: 'Success',
        LastUpdated: isoSeconds(issuedAt),
        Type: 'AWS-HMAC',
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: isoSeconds(expiresAt),
      };
      return JSON.stringify(document, undefined, 2);
    },
  };
}

type Issued = SessionCredentials & { readonly issuedAt: number };

/** The sessions of instances' roles, kept until they are about to end, so that an instance that asks often has one. */
export class RoleSessions {
  readonly #parts: Pick<MetadataParts, 'identities' | 'clock'>;
  readonly #known = new Map<string, Promise<Issued>>();

  constructor(parts: Pick<MetadataParts, 'identities' | 'clock'>) {
    this.#parts = parts;
  }

  /** Throws IAM's refusal when the role does not trust EC2. */
  async of({ id, tenant }: InstanceRecord, roleArn: string): Promise<Issued> {
    const name = `${id} ${roleArn}`;
    // One that could not be had is asked for anew.
    const known = await this.#known.get(name)?.catch(() => undefined);
    if (known && known.expiresAt - this.#parts.clock.now() > RENEW_BEFORE_MS) return known;
    const issued = this.#issue(id, tenant, roleArn);
    this.#known.delete(name);
    this.#known.set(name, issued);
    if (this.#known.size > MAX_SESSIONS) this.#known.delete(this.#known.keys().next().value!);
    return await issued;
  }

  async #issue(sessionName: string, account: string, roleArn: string): Promise<Issued> {
    const { identities, clock } = this.#parts;
    const session = await identities.issueRoleSession({
      roleArn,
      sessionName,
      service: 'ec2.amazonaws.com',
      durationMs: SESSION_MS,
      context: { 'aws:SourceAccount': account },
    });
    return { ...session, issuedAt: clock.now() };
  }
}
