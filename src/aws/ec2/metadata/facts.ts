import { isoSeconds } from '#base';
import { recordId } from '#network';
import type { SessionCredentials } from '../../auth/index.ts';
import { SessionCache } from '../../session-cache.ts';
import type { InstanceRecord } from '../instance-records.ts';
import type { MetadataCaller } from './caller.ts';
import type { MetadataParts } from './server.ts';
import type { InstanceFacts, InstanceRole } from './tree.ts';

const SESSION_MS = 6 * 3_600_000;

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
      const { issuedAt, accessKeyId, secretAccessKey, sessionToken, expiresAt } = await sessions(instance, roleArn);
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

/** Sessions of instances' roles. */
export type RoleSessions = (instance: InstanceRecord, roleArn: string) => Promise<Issued>;
type Issued = SessionCredentials & { readonly issuedAt: number };

/** Each rejects with IAM's refusal when the role does not trust EC2. */
export function roleSessions({ identities, clock }: Pick<MetadataParts, 'identities' | 'clock'>): RoleSessions {
  const kept = new SessionCache<Issued>(() => clock.now());
  return async ({ id, tenant }, roleArn) => {
    // A role that is made anew under its name is another, for which sessions of the old one are no good.
    const role = await identities.describeRole(roleArn);
    return await kept.of(`${id} ${roleArn} ${role?.roleId}`, async () => {
      const session = await identities.issueRoleSession({
        roleArn,
        sessionName: id,
        service: 'ec2.amazonaws.com',
        durationMs: SESSION_MS,
        context: { 'aws:SourceAccount': tenant },
      });
      return { ...session, issuedAt: clock.now() };
    });
  };
}
