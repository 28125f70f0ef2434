import type { LaunchTemplateSpecification, RequestLaunchTemplateData } from '@aws-sdk/client-ec2';
import type { Tags } from '#network';
import { Collection, type Store, type Versioned } from '#store';
import { AwsError } from '../../errors.ts';
import { keyIn, type Scope } from '../scope.ts';

/** `ec2/launch-templates/<account>/<region>/<id>`. Versions are never changed, and their numbers never given twice. */
export interface LaunchTemplateRecord {
  readonly id: string;
  readonly tenant: string;
  readonly region: string;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly name: string;
  readonly defaultVersion: number;
  /** The number that was given last, though that version may be gone. */
  readonly latestVersion: number;
  /** In their order; the default one is always among them. */
  readonly versions: readonly TemplateVersion[];
}

export interface TemplateVersion {
  readonly number: number;
  readonly description?: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly data: RequestLaunchTemplateData;
}

/** `ec2/launch-template-names/<account>/<region>/<name>` keeps a name to one template. */
export interface TemplateName {
  readonly id: string;
}

export interface TemplateCollections {
  readonly templates: Collection<LaunchTemplateRecord>;
  readonly names: Collection<TemplateName>;
}

export function templateCollections(store: Store): TemplateCollections {
  return {
    templates: new Collection(store, 'ec2/launch-templates/'),
    names: new Collection(store, 'ec2/launch-template-names/'),
  };
}

/** A template as a call names it, by id or by name. Throws EC2's own NotFound, and `MissingParameter` for neither or both. */
export async function findTemplate(
  { templates, names }: TemplateCollections,
  scope: Scope,
  named: Pick<LaunchTemplateSpecification, 'LaunchTemplateId' | 'LaunchTemplateName'>,
): Promise<Versioned<LaunchTemplateRecord>> {
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
  if (seen) return seen;
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

/** What `$Latest` means. */
export function latestOf({ versions }: LaunchTemplateRecord): TemplateVersion {
  return versions.at(-1)!;
}

/** The version of that number, of `$Default` (which no number means), or of `$Latest`. */
export function versionOf(template: LaunchTemplateRecord, wanted: string | undefined): TemplateVersion {
  const number =
    wanted === undefined || wanted === '$Default'
      ? template.defaultVersion
      : wanted === '$Latest'
        ? latestOf(template).number
        : Number(wanted);
  const found = template.versions.find((version) => version.number === number);
  if (!found)
    throw new AwsError(
      'InvalidLaunchTemplateId.VersionNotFound',
      `Could not find the specified version ${wanted} for the launch template with ID ${template.id}.`,
    );
  return found;
}
