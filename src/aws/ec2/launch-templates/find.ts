import type { LaunchTemplateSpecification } from '@aws-sdk/client-ec2';
import type { Versioned } from '#store';
import { AwsError } from '../../errors.ts';
import { allIn, keyIn, type Scope } from '../scope.ts';
import { upToDate } from './older-records.ts';
import { versionId, type LaunchTemplateRecord, type TemplateCollections, type TemplateVersion } from './records.ts';

/** Every template of a scope. */
export async function listTemplates(
  collections: TemplateCollections,
  scope: Scope,
): Promise<readonly LaunchTemplateRecord[]> {
  const found = await collections.templates.list(allIn(scope));
  return await Promise.all(found.map(async (seen) => (await upToDate(collections, seen)).value));
}

/** A template as a call names it, by id or by name. Throws EC2's own NotFound, and `MissingParameter` for neither or both. */
export async function findTemplate(
  collections: TemplateCollections,
  scope: Scope,
  named: Pick<LaunchTemplateSpecification, 'LaunchTemplateId' | 'LaunchTemplateName'>,
): Promise<Versioned<LaunchTemplateRecord>> {
  const { templates, names } = collections;
  const { LaunchTemplateId: id, LaunchTemplateName: name } = named;
  if ((id === undefined) === (name === undefined))
    throw new AwsError(
      'MissingParameter',
      'Specify either a launch template ID or a launch template name, and not both.',
    );
  if (id !== undefined && !/^lt-[0-9a-f]+$/.test(id))
    throw new AwsError('InvalidLaunchTemplateId.Malformed', `Invalid launch template ID: "${id}"`);
  const known = id ?? (await names.get(keyIn(scope, name!)))?.value.id;
  const seen = known === undefined ? undefined : await templates.get(keyIn(scope, known));
  if (seen) return await upToDate(collections, seen);
  throw id === undefined
    ? new AwsError(
        'InvalidLaunchTemplateName.NotFoundException',
        `The specified launch template, with template name ${name}, does not exist.`,
      )
    : new AwsError(
        'InvalidLaunchTemplateId.NotFound',
        `The specified launch template, with template ID ${id}, does not exist.`,
      );
}

/** The version of that number, of `$Default` (which no number means), or of `$Latest`. */
export async function versionOf(
  { versions }: TemplateCollections,
  { id, value }: Versioned<LaunchTemplateRecord>,
  wanted: string | undefined,
): Promise<TemplateVersion> {
  const number = numberOf(value, wanted);
  const found = Number.isSafeInteger(number) && number > 0 ? await versions.get(versionId(id, number)) : undefined;
  if (!found)
    throw new AwsError(
      'InvalidLaunchTemplateId.VersionNotFound',
      `Could not find the specified version ${wanted} for the launch template with ID ${value.id}.`,
    );
  return found.value;
}

function numberOf({ defaultVersion, latestKept }: LaunchTemplateRecord, wanted: string | undefined): number {
  if (wanted === undefined || wanted === '$Default') return defaultVersion;
  return wanted === '$Latest' ? latestKept : Number(wanted);
}
