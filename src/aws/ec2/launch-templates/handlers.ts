import type { LaunchTemplate, LaunchTemplateVersion, RequestLaunchTemplateData } from '@aws-sdk/client-ec2';
import type { Operation, Versioned } from '#store';
import { AwsError } from '../../errors.ts';
import type { CallContext, Handlers } from '../../service.ts';
import { paginate, selectFrom } from '../describe.ts';
import { applyFilters, type FilterFields } from '../filters.ts';
import { notFound } from '../kinds.ts';
import { keyIn, newId, type Ec2State } from '../scope.ts';
import { tagsFor, toTags } from '../tags.ts';
import { checkUserData } from '../user-data.ts';
import { findTemplate, listTemplates, versionOf } from './find.ts';
import { versionId, type LaunchTemplateRecord, type TemplateCollections, type TemplateVersion } from './records.ts';

const NAME = /^[a-zA-Z0-9().\-/_]{3,128}$/;
/** Amazon EC2 User Guide, "Launch template restrictions". */
const MAX_VERSIONS = 10_000;
const ATTEMPTS = 32;

/** A template as it is to be, and what is written with it. */
interface Change {
  readonly record: LaunchTemplateRecord;
  readonly success?: readonly Operation[];
}

const fields: FilterFields<LaunchTemplateRecord> = {
  'create-time': ({ createdAt }) => new Date(createdAt).toISOString(),
  'launch-template-name': ({ name }) => name,
};

type VersionRow = TemplateVersion & { readonly id: string; readonly tags: {}; readonly template: LaunchTemplateRecord };

const versionFields: FilterFields<VersionRow> = {
  'is-default-version': ({ number, template }) => number === template.defaultVersion,
  'image-id': ({ data }) => data.ImageId,
  'instance-type': ({ data }) => data.InstanceType,
  'iam-instance-profile': ({ data }) => data.IamInstanceProfile?.Arn ?? data.IamInstanceProfile?.Name,
};

function toTemplate(record: LaunchTemplateRecord): LaunchTemplate {
  return {
    LaunchTemplateId: record.id,
    LaunchTemplateName: record.name,
    CreateTime: new Date(record.createdAt),
    CreatedBy: record.createdBy,
    DefaultVersionNumber: record.defaultVersion,
    LatestVersionNumber: record.latestKept,
    Tags: toTags(record.tags),
  };
}

function toVersion(
  { id, name, defaultVersion }: LaunchTemplateRecord,
  version: TemplateVersion,
): LaunchTemplateVersion {
  return {
    LaunchTemplateId: id,
    LaunchTemplateName: name,
    VersionNumber: version.number,
    VersionDescription: version.description,
    CreateTime: new Date(version.createdAt),
    CreatedBy: version.createdBy,
    DefaultVersion: version.number === defaultVersion,
    LaunchTemplateData: version.data,
  };
}

export function launchTemplateHandlers(state: Ec2State, collections: TemplateCollections) {
  const { templates, names, versions } = collections;
  const { store, clock, random } = state;
  const callerOf = ({ principal, account }: CallContext) => ('arn' in principal ? principal.arn : account);
  const newVersion = (
    context: CallContext,
    number: number,
    {
      data,
      description,
    }: { readonly data: RequestLaunchTemplateData | undefined; readonly description: string | undefined },
  ): TemplateVersion => ({
    number,
    ...(description && { description }),
    createdAt: clock.now(),
    createdBy: callerOf(context),
    data: checkData(data),
  });

  /** Changes a template and its versions in one transaction, reading again when somebody else was faster. */
  async function change(
    { id }: Versioned<LaunchTemplateRecord>,
    plan: (record: LaunchTemplateRecord) => Promise<Change> | Change,
  ): Promise<LaunchTemplateRecord> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const seen = await templates.get(id);
      if (!seen) throw notFound('launch-template', id.slice(id.lastIndexOf('/') + 1));
      const { record, success = [] } = await plan(seen.value);
      const { succeeded } = await store.txn({
        compare: [templates.ifUnchanged(seen)],
        success: [templates.put(id, record), ...success],
      });
      if (succeeded) return record;
    }
    throw new AwsError(
      'RequestLimitExceeded',
      'The launch template changes faster than the request can be carried out.',
    );
  }

  return {
    async CreateLaunchTemplate(input, context) {
      const name = input.LaunchTemplateName!;
      if (!NAME.test(name))
        throw new AwsError(
          'InvalidLaunchTemplateName.MalformedException',
          `Launch template names must be between 3 and 128 characters in length, and may contain letters, numbers, and the following characters: - ( ) . / _: ${name}`,
        );
      const description = input.VersionDescription;
      const record: LaunchTemplateRecord = {
        id: newId(random, 'lt'),
        tenant: context.account,
        region: context.region,
        tags: tagsFor('launch-template', input.TagSpecifications),
        createdAt: clock.now(),
        createdBy: callerOf(context),
        name,
        defaultVersion: 1,
        latestVersion: 1,
        latestKept: 1,
        versionCount: 1,
      };
      const version = newVersion(context, 1, { data: input.LaunchTemplateData, description });
      const id = keyIn(context, record.id);
      const output = { LaunchTemplate: toTemplate(record) };
      const { succeeded } = await store.txn({
        compare: [names.ifAbsent(keyIn(context, name))],
        success: [
          names.put(keyIn(context, name), { id: record.id }),
          templates.put(id, record),
          versions.put(versionId(id, 1), version),
          ...context.remember(output),
        ],
      });
      if (!succeeded)
        throw new AwsError('InvalidLaunchTemplateName.AlreadyExistsException', 'Launch template name already in use.');
      return output;
    },

    async CreateLaunchTemplateVersion(input, context) {
      const seen = await findTemplate(collections, context, input);
      const source =
        input.SourceVersion === undefined ? undefined : await versionOf(collections, seen, input.SourceVersion);
      const data = { ...source?.data, ...input.LaunchTemplateData };
      const made = newVersion(context, 0, { data, description: input.VersionDescription });
      const outputOf = (record: LaunchTemplateRecord) => ({
        LaunchTemplateVersion: toVersion(record, { ...made, number: record.latestVersion }),
      });
      const changed = await change(seen, (before) => {
        if (before.versionCount >= MAX_VERSIONS)
          throw new AwsError('VersionLimitExceeded', `A launch template has at most ${MAX_VERSIONS} versions.`);
        const number = before.latestVersion + 1;
        const record: LaunchTemplateRecord = {
          ...before,
          latestVersion: number,
          latestKept: number,
          versionCount: before.versionCount + 1,
        };
        return {
          record,
          success: [
            versions.put(versionId(seen.id, number), { ...made, number }),
            ...context.remember(outputOf(record)),
          ],
        };
      });
      return outputOf(changed);
    },

    async DescribeLaunchTemplates(input, context) {
      const all = await listTemplates(collections, context);
      const named = await Promise.all(
        (input.LaunchTemplateNames ?? []).map(
          async (name) => (await findTemplate(collections, context, { LaunchTemplateName: name })).value,
        ),
      );
      for (const LaunchTemplateId of input.LaunchTemplateIds ?? [])
        await findTemplate(collections, context, { LaunchTemplateId });
      const { items, nextToken } = selectFrom(named.length ? named : all, {
        kind: 'launch-template',
        fields,
        selection: {
          ids: input.LaunchTemplateIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return { LaunchTemplates: items.map(toTemplate), NextToken: nextToken };
    },

    async DescribeLaunchTemplateVersions(input, context) {
      const seen = await findTemplate(collections, context, input);
      const template = seen.value;
      const wanted = input.Versions?.length
        ? await Promise.all([...new Set(input.Versions)].map((version) => versionOf(collections, seen, version)))
        : (await versions.list(`${seen.id}/`))
            .map(({ value }) => value)
            .filter(
              ({ number }) => number >= Number(input.MinVersion ?? 1) && number <= Number(input.MaxVersion ?? Infinity),
            );
      const distinct = [...new Map(wanted.map((version) => [version.number, version])).values()];
      // Newest first, as the service lists them.
      const rows = distinct
        .toSorted((a, b) => b.number - a.number)
        .map((version) => ({ ...version, id: String(MAX_NUMBER - version.number), tags: {}, template }));
      const selection = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const { items, nextToken } = paginate(applyFilters(rows, input.Filters, versionFields), selection);
      return { LaunchTemplateVersions: items.map((version) => toVersion(template, version)), NextToken: nextToken };
    },

    async ModifyLaunchTemplate(input, context) {
      const seen = await findTemplate(collections, context, input);
      const record = await change(seen, async (value) => {
        const { number } = await versionOf(collections, { ...seen, value }, input.DefaultVersion);
        return { record: { ...value, defaultVersion: number } };
      });
      return { LaunchTemplate: toTemplate(record) };
    },

    async DeleteLaunchTemplate(input, context) {
      const { id, value } = await findTemplate(collections, context, input);
      // If it is gone by now, its name may be that of another.
      await store.txn({
        compare: [templates.ifPresent(id)],
        success: [
          templates.remove(id),
          names.remove(keyIn(context, value.name)),
          { kind: 'deletePrefix', prefix: versions.key(`${id}/`) },
        ],
      });
      return { LaunchTemplate: toTemplate(value) };
    },

    async DeleteLaunchTemplateVersions(input, context) {
      const seen = await findTemplate(collections, context, input);
      const { id: LaunchTemplateId, name: LaunchTemplateName } = seen.value;
      const numbers = [...new Set((input.Versions ?? []).map(Number))];
      let kept = new Map<number, Kept | undefined>();
      await change(seen, async (before) => {
        const present = (await versions.list(`${seen.id}/`)).map(({ value }) => value.number);
        kept = new Map(numbers.map((number) => [number, whyKept(before, present, number)]));
        const gone = numbers.filter((number) => !kept.get(number));
        const left = present.filter((number) => !gone.includes(number));
        return {
          record: { ...before, latestKept: left.at(-1)!, versionCount: left.length },
          success: gone.map((number) => versions.remove(versionId(seen.id, number))),
        };
      });
      const named = numbers.map((number) => ({
        row: { LaunchTemplateId, LaunchTemplateName, VersionNumber: number },
        code: kept.get(number),
      }));
      return {
        SuccessfullyDeletedLaunchTemplateVersions: named.flatMap(({ row, code }) => (code ? [] : [row])),
        UnsuccessfullyDeletedLaunchTemplateVersions: named.flatMap(({ row, code }) =>
          code ? [{ ...row, ResponseError: { Code: code, Message: refusalOf(code) } }] : [],
        ),
      };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}

/** Version numbers are below it, so that what is left of it sorts them as text, newest first. */
const MAX_NUMBER = 10 ** 9;

type Kept = 'launchTemplateVersionDoesNotExist' | 'unexpectedError';

function whyKept(
  { defaultVersion }: LaunchTemplateRecord,
  present: readonly number[],
  number: number,
): Kept | undefined {
  if (!present.includes(number)) return 'launchTemplateVersionDoesNotExist';
  return number === defaultVersion ? 'unexpectedError' : undefined;
}

function refusalOf(code: Kept): string {
  return code === 'unexpectedError' ? 'The default version cannot be deleted' : 'The version does not exist';
}

/** What is kept: anything that an answer can tell again. Whether an instance can have it is seen when one is made. */
function checkData(data: RequestLaunchTemplateData | undefined): RequestLaunchTemplateData {
  if (!data || !Object.values(data).some((value) => value !== undefined))
    throw new AwsError('MissingParameter', 'The request must contain the parameter LaunchTemplateData');
  if (data.InstanceMarketOptions)
    throw new AwsError('UnsupportedOperation', 'InstanceMarketOptions of launch templates is not supported.', {
      status: 501,
    });
  checkUserData(data.UserData, 'InvalidUserData.Malformed');
  return data;
}
