import type { Setting, SettingName } from '@aws-sdk/client-ecs';
import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { invalidParameter, notSupported, type Scope } from './names.ts';
import { pageOf } from './pages.ts';
import type { EcsState } from './state.ts';

/** `ecs/account-settings/<account>/<region>/<principal>/<name>`. */
export interface AccountSettingRecord {
  readonly name: SettingName;
  readonly value: string;
  readonly principalArn: string;
}

interface Known {
  readonly initial: string;
  /** What else it may be; anything more would be a promise that nobody keeps. */
  readonly others: readonly string[];
}

/** Amazon ECS Developer Guide, "Access Amazon ECS features with account settings". */
const settings: { readonly [name: string]: Known } = {
  awsvpcTrunking: { initial: 'disabled', others: [] },
  containerInsights: { initial: 'disabled', others: ['enabled', 'enhanced'] },
  containerInstanceLongArnFormat: { initial: 'enabled', others: [] },
  defaultLogDriverMode: { initial: 'blocking', others: [] },
  fargateFIPSMode: { initial: 'disabled', others: [] },
  fargateTaskRetirementWaitPeriod: { initial: '7', others: [] },
  guardDutyActivate: { initial: 'off', others: [] },
  serviceLongArnFormat: { initial: 'enabled', others: [] },
  tagResourceAuthorization: { initial: 'on', others: [] },
  taskLongArnFormat: { initial: 'enabled', others: [] },
};

function checkSetting(name: string | undefined, value: string | undefined): SettingName {
  const known = name !== undefined && Object.hasOwn(settings, name) ? settings[name] : undefined;
  if (!known) throw invalidParameter(`Unknown account setting name: ${name}`);
  if (value === undefined || value === '') throw invalidParameter('The account setting value cannot be empty.');
  if (value !== known.initial && !known.others.includes(value))
    throw notSupported(`the account setting ${name} with the value ${value}`);
  return name as SettingName; // a name of the table
}

/** The identity whose setting counts in a call: a role for its sessions. The account's root has what is the default of all others. */
function identityOf({ principal, account }: CallContext): string {
  if (principal.kind === 'assumed-role') return principal.roleArn;
  return principal.kind === 'user' ? principal.arn : rootOf(account);
}

const rootOf = (account: string) => `arn:aws:iam::${account}:root`;

function idOf({ account, region }: Scope, principalArn: string, name: string): string {
  return `${account}/${region}/${encodeURIComponent(principalArn)}/${name}`;
}

/** What a setting is for a caller: its own, else the account's, else that of ECS. */
export async function settingFor(state: EcsState, context: CallContext, name: SettingName): Promise<string> {
  for (const principalArn of [identityOf(context), rootOf(context.account)]) {
    const seen = await state.accountSettings.get(idOf(context, principalArn, name));
    if (seen) return seen.value.value;
  }
  return settings[name]!.initial;
}

export function accountSettingHandlers(state: EcsState) {
  const { accountSettings, store } = state;

  async function put(context: CallContext, record: AccountSettingRecord) {
    const key = idOf(context, record.principalArn, record.name);
    await store.txn({ success: [accountSettings.put(key, record)] });
    return { setting: toSetting(record) };
  }

  return {
    async PutAccountSetting(input, context) {
      const name = checkSetting(input.name, input.value);
      return await put(context, { name, value: input.value!, principalArn: ownOr(input.principalArn, context) });
    },

    async PutAccountSettingDefault(input, context) {
      const name = checkSetting(input.name, input.value);
      return await put(context, { name, value: input.value!, principalArn: rootOf(context.account) });
    },

    async DeleteAccountSetting(input, context) {
      const { name = '' } = input;
      if (!Object.hasOwn(settings, name)) throw invalidParameter(`Unknown account setting name: ${name}`);
      const key = idOf(context, ownOr(input.principalArn, context), name);
      const seen = await accountSettings.get(key);
      await accountSettings.delete(key);
      return { setting: seen && toSetting(seen.value) };
    },

    async ListAccountSettings(input, context) {
      const principalArn = ownOr(input.principalArn, context);
      const prefix = `${context.account}/${context.region}/`;
      const all = (await accountSettings.list(prefix)).map(({ value }) => value);
      const of = (who: string, name: string) => all.find((one) => one.principalArn === who && one.name === name);
      const effective = Object.keys(settings).map((name): AccountSettingRecord => {
        const found = of(principalArn, name) ?? of(rootOf(context.account), name);
        // A name of the table, like all of them.
        return { name: name as SettingName, value: settings[name]!.initial, ...found, principalArn };
      });
      const rows = (input.effectiveSettings ? effective : all.filter((one) => one.principalArn === principalArn))
        .filter(({ name }) => input.name === undefined || name === input.name)
        .filter(({ value }) => input.value === undefined || value === input.value);
      const byName = new Map(rows.map((row): [string, AccountSettingRecord] => [row.name, row]));
      const { items, nextToken } = pageOf([...byName.keys()], input, 10);
      return { settings: items.map((name) => toSetting(byName.get(name)!)), nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ecs')>;
}

/** The identity that a call is about: the caller's own, or, for the account's root, any of the account (API reference, PutAccountSetting, `principalArn`). */
function ownOr(principalArn: string | undefined, context: CallContext): string {
  const own = identityOf(context);
  if (principalArn === undefined || principalArn === own) return own;
  if (!new RegExp(`^arn:aws:iam::${context.account}:(?:root|user/.+|role/.+)$`).test(principalArn))
    throw invalidParameter('The principalArn must be a user, a role or the root user of this account.');
  if (context.principal.kind !== 'root')
    throw new AwsError(
      'AccessDeniedException',
      `Only the root user has a say in the account settings of ${principalArn}.`,
    );
  return principalArn;
}

function toSetting({ name, value, principalArn }: AccountSettingRecord): Setting {
  return { name, value, principalArn, type: 'user' };
}
