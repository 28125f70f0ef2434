import type { RequestLaunchTemplateData } from '@aws-sdk/client-ec2';
import type { Tags } from '#network';
import { Collection, type Store } from '#store';

/** `ec2/launch-templates/<account>/<region>/<id>`. Each version has a record of its own; none is ever changed, and no number given twice. */
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
  /** The highest number that is left: `$Latest`. */
  readonly latestKept: number;
  readonly versionCount: number;
}

/** `ec2/launch-template-versions/<account>/<region>/<id>/<number>`, the number in ten digits. The default version is always there. */
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
  readonly store: Store;
  readonly templates: Collection<LaunchTemplateRecord>;
  readonly versions: Collection<TemplateVersion>;
  readonly names: Collection<TemplateName>;
}

export function templateCollections(store: Store): TemplateCollections {
  return {
    store,
    templates: new Collection(store, 'ec2/launch-templates/'),
    versions: new Collection(store, 'ec2/launch-template-versions/'),
    names: new Collection(store, 'ec2/launch-template-names/'),
  };
}

/** Where a version of a template is kept. `templateId` is the key of the template's record. */
export function versionId(templateId: string, number: number): string {
  return `${templateId}/${String(number).padStart(10, '0')}`;
}
