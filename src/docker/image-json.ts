import type { Container, Image, ImageConfig } from '#engine';

/** A reference as Docker shows it: without `docker.io/` and `library/`. */
export function familiarName(reference: string): string {
  return reference.replace(/^docker\.io\/(?:library\/)?/, '');
}

/** The `Config` member of images and containers: absent lists are null, as Go writes them. */
export function configJson(config: ImageConfig): { readonly [name: string]: unknown } {
  return {
    ExposedPorts: config.ExposedPorts,
    Env: config.Env ?? null,
    Cmd: config.Cmd ?? null,
    Healthcheck: config.Healthcheck,
    Image: '',
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? '',
    Entrypoint: config.Entrypoint ?? null,
    User: config.User ?? '',
    OnBuild: config.OnBuild ?? null,
    Labels: config.Labels ?? null,
    StopSignal: config.StopSignal,
    Shell: config.Shell,
  };
}

/** GET /images/{name}/json. */
export function imageJson(image: Image): object {
  return {
    Id: image.id,
    RepoTags: image.references.filter((reference) => !reference.includes('@')).map(familiarName),
    RepoDigests: image.repoDigests.map(familiarName),
    Parent: '',
    Comment: image.history.at(-1)?.comment ?? '',
    Created: new Date(image.createdAt).toISOString(),
    DockerVersion: '',
    Author: image.author ?? '',
    Config: configJson(image.config),
    Architecture: image.architecture,
    Os: image.os,
    Size: image.sizeBytes,
    GraphDriver: { Name: 'overlay', Data: null },
    RootFS: { Type: 'layers', Layers: image.diffIds },
    Metadata: {
      LastTagTime: image.taggedAt === undefined ? '0001-01-01T00:00:00Z' : new Date(image.taggedAt).toISOString(),
    },
  };
}

/** One entry of GET /images/json. */
export function imageSummary(image: Image, containers: number): object {
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: image.references.filter((reference) => !reference.includes('@')).map(familiarName),
    RepoDigests: image.repoDigests.map(familiarName),
    Created: Math.floor(image.createdAt / 1000),
    Size: image.sizeBytes,
    SharedSize: -1,
    Labels: image.config.Labels ?? null,
    Containers: containers,
  };
}

/** GET /images/{name}/history, newest first. `layerSizes` are those of the image's layers, lowest first. */
export function historyJson(image: Image, layerSizes: readonly number[]): readonly object[] {
  const sizes = layerSizes.values();
  return image.history
    .map((entry, index) => ({
      Id: index === image.history.length - 1 ? image.id : '<missing>',
      Created: entry.created === undefined ? 0 : Math.floor(Date.parse(entry.created) / 1000),
      CreatedBy: entry.created_by ?? '',
      Tags:
        index === image.history.length - 1 && image.references.length > 0 ? image.references.map(familiarName) : null,
      Size: entry.empty_layer === true ? 0 : (sizes.next().value ?? 0),
      Comment: entry.comment ?? '',
    }))
    .reverse();
}

/** True if a container was made from the image, or mounts it. */
export function isUserOf(
  { imageId, mounts }: Pick<Container, 'imageId' | 'mounts'>,
  { id }: Pick<Image, 'id'>,
): boolean {
  return imageId === id || mounts.some((mount) => mount.kind === 'image' && mount.imageId === id);
}
