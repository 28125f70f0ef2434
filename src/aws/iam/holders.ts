import { AwsError } from '../errors.ts';
import { checkPolicy, checkPolicyArn, checkSize, limitExceeded, mustExist } from './checks.ts';
import type { Directory } from './directory.ts';
import { checkName, noSuchEntity } from './names.ts';
import { encodeDocument, iamPage, type IamHandlers, type IamParts } from './parts.ts';
import type { PolicyHolder } from './records.ts';
import { checkModifiable, SERVICE_LINKED_PATH } from './service-linked-policies.ts';
import type { Table } from './table.ts';

const MAX_ATTACHED = 10;

interface HolderKind {
  readonly what: 'user' | 'group' | 'role';
  /** Most characters of all inline policies together, and the quotas' names. */
  readonly inlineSize: number;
  readonly attachedQuota: string;
  /** Throws where its policies are not to be changed. */
  readonly checkModifiable?: (holder: { readonly path: string; readonly name: string }) => void;
}

interface PageInput {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

/** What users, groups and roles have in common: inline policies by name, and attached managed policies. */
class Holders<T extends PolicyHolder & { readonly account: string; readonly name: string; readonly path: string }> {
  readonly #directory: Directory;
  readonly #table: Table<T>;
  readonly #kind: HolderKind;

  constructor(directory: Directory, table: Table<T>, kind: HolderKind) {
    this.#directory = directory;
    this.#table = table;
    this.#kind = kind;
  }

  find(account: string, name: string): T {
    return mustExist(this.#table.get(account, name), this.#kind.what, name);
  }

  /** One whose policies the account may change. */
  #own(account: string, name: string): T {
    const holder = this.find(account, name);
    this.#kind.checkModifiable?.(holder);
    return holder;
  }

  async putInline(account: string, name: string, policyName: string, document: string) {
    this.#own(account, name);
    checkName(policyName, 'policyName', 128);
    checkPolicy(document, 'identity');
    await this.#table.update(account, name, (holder) => {
      const inlinePolicies = { ...holder.inlinePolicies, [policyName]: document };
      checkSize(Object.values(inlinePolicies).join(''), this.#kind.inlineSize, 'PolicySize');
      return { ...holder, inlinePolicies };
    });
    return {};
  }

  getInline(account: string, name: string, policyName: string) {
    const document = this.find(account, name).inlinePolicies[policyName];
    if (document === undefined) throw noSuchEntity(`${this.#kind.what} policy`, policyName);
    return { PolicyName: policyName, PolicyDocument: encodeDocument(document) };
  }

  async deleteInline(account: string, name: string, policyName: string) {
    this.#own(account, name);
    this.getInline(account, name, policyName);
    await this.#table.update(account, name, (holder) => ({
      ...holder,
      inlinePolicies: Object.fromEntries(Object.entries(holder.inlinePolicies).filter(([key]) => key !== policyName)),
    }));
    return {};
  }

  listInline(account: string, name: string, input: PageInput) {
    const names = Object.keys(this.find(account, name).inlinePolicies).sort();
    const { items, marks } = iamPage(names, input, (policyName) => policyName);
    return { PolicyNames: items, ...marks };
  }

  async attach(account: string, name: string, policyArn: string) {
    this.#own(account, name);
    if (policyArn.startsWith(`arn:aws:iam::aws:policy${SERVICE_LINKED_PATH}`))
      throw new AwsError('PolicyNotAttachableException', 'Cannot attach a Service Role Policy to a Customer Role.');
    checkPolicyArn(policyArn, account, this.#directory);
    await this.#table.update(account, name, (holder) => {
      if (holder.attachedPolicies.includes(policyArn)) return holder;
      if (holder.attachedPolicies.length >= MAX_ATTACHED) throw limitExceeded(this.#kind.attachedQuota, MAX_ATTACHED);
      return { ...holder, attachedPolicies: [...holder.attachedPolicies, policyArn] };
    });
    return {};
  }

  async detach(account: string, name: string, policyArn: string) {
    if (!this.#own(account, name).attachedPolicies.includes(policyArn))
      throw noSuchEntity('policy attached to this entity', policyArn);
    await this.#table.update(account, name, (holder) => ({
      ...holder,
      attachedPolicies: holder.attachedPolicies.filter((arn) => arn !== policyArn),
    }));
    return {};
  }

  listAttached(account: string, name: string, input: PageInput & { readonly PathPrefix?: string | undefined }) {
    const below = (arn: string) => arn.split(':policy')[1]!.startsWith(input.PathPrefix ?? '/');
    const arns = this.find(account, name).attachedPolicies.filter(below).toSorted();
    const { items, marks } = iamPage(arns, input, (arn) => arn);
    return {
      AttachedPolicies: items.map((arn) => ({ PolicyName: arn.slice(arn.lastIndexOf('/') + 1), PolicyArn: arn })),
      ...marks,
    };
  }
}

export function holderHandlers({ directory }: IamParts): IamHandlers {
  const users = new Holders(directory, directory.users, {
    what: 'user',
    inlineSize: 2048,
    attachedQuota: 'PoliciesPerUser',
  });
  const groups = new Holders(directory, directory.groups, {
    what: 'group',
    inlineSize: 5120,
    attachedQuota: 'PoliciesPerGroup',
  });
  const roles = new Holders(directory, directory.roles, {
    what: 'role',
    inlineSize: 10_240,
    attachedQuota: 'PoliciesPerRole',
    checkModifiable,
  });
  return {
    PutUserPolicy: (input, { account }) =>
      users.putInline(account, input.UserName!, input.PolicyName!, input.PolicyDocument!),
    GetUserPolicy: (input, { account }) => ({
      UserName: input.UserName,
      ...users.getInline(account, input.UserName!, input.PolicyName!),
    }),
    DeleteUserPolicy: (input, { account }) => users.deleteInline(account, input.UserName!, input.PolicyName!),
    ListUserPolicies: (input, { account }) => users.listInline(account, input.UserName!, input),
    AttachUserPolicy: (input, { account }) => users.attach(account, input.UserName!, input.PolicyArn!),
    DetachUserPolicy: (input, { account }) => users.detach(account, input.UserName!, input.PolicyArn!),
    ListAttachedUserPolicies: (input, { account }) => users.listAttached(account, input.UserName!, input),

    PutGroupPolicy: (input, { account }) =>
      groups.putInline(account, input.GroupName!, input.PolicyName!, input.PolicyDocument!),
    GetGroupPolicy: (input, { account }) => ({
      GroupName: input.GroupName,
      ...groups.getInline(account, input.GroupName!, input.PolicyName!),
    }),
    DeleteGroupPolicy: (input, { account }) => groups.deleteInline(account, input.GroupName!, input.PolicyName!),
    ListGroupPolicies: (input, { account }) => groups.listInline(account, input.GroupName!, input),
    AttachGroupPolicy: (input, { account }) => groups.attach(account, input.GroupName!, input.PolicyArn!),
    DetachGroupPolicy: (input, { account }) => groups.detach(account, input.GroupName!, input.PolicyArn!),
    ListAttachedGroupPolicies: (input, { account }) => groups.listAttached(account, input.GroupName!, input),

    PutRolePolicy: (input, { account }) =>
      roles.putInline(account, input.RoleName!, input.PolicyName!, input.PolicyDocument!),
    GetRolePolicy: (input, { account }) => ({
      RoleName: input.RoleName,
      ...roles.getInline(account, input.RoleName!, input.PolicyName!),
    }),
    DeleteRolePolicy: (input, { account }) => roles.deleteInline(account, input.RoleName!, input.PolicyName!),
    ListRolePolicies: (input, { account }) => roles.listInline(account, input.RoleName!, input),
    AttachRolePolicy: (input, { account }) => roles.attach(account, input.RoleName!, input.PolicyArn!),
    DetachRolePolicy: (input, { account }) => roles.detach(account, input.RoleName!, input.PolicyArn!),
    ListAttachedRolePolicies: (input, { account }) => roles.listAttached(account, input.RoleName!, input),
  };
}
