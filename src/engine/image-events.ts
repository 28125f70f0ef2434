import type { Images } from './engine.ts';
import type { EventHub } from './events.ts';

/** The same images, telling the world what changes, in Docker's words. */
export function announceImages(images: Images, events: EventHub): Images {
  const publish = (action: string, id: string) =>
    events.publish({ type: 'image', action, id, attributes: { name: id } });
  const announcing = <Result>(action: string, name: string, work: Promise<Result>) =>
    work.then((result) => {
      publish(action, name);
      return result;
    });
  return {
    pull: (reference, options) => announcing('pull', reference, images.pull(reference, options)),
    push: (reference, options) => announcing('push', reference, images.push(reference, options)),
    tag: (nameOrId, reference) => announcing('tag', reference, images.tag(nameOrId, reference)),
    login: (host, credentials, signal) => images.login(host, credentials, signal),
    find: (nameOrId) => images.find(nameOrId),
    list: () => images.list(),
    layerSizes: (image) => images.layerSizes(image),
    lookUp: (reference, options) => images.lookUp(reference, options),
    async save(namesOrIds, signal) {
      const archive = await images.save(namesOrIds, signal);
      for (const name of namesOrIds) publish('save', name);
      return archive;
    },
    async load(archive, options) {
      const loaded = await images.load(archive, options);
      for (const { id } of loaded) publish('load', id);
      return loaded;
    },
    async remove(nameOrId, options) {
      const removed = await images.remove(nameOrId, options);
      for (const entry of removed)
        if ('untagged' in entry) publish('untag', entry.untagged);
        else publish('delete', entry.deleted);
      return removed;
    },
    async importRootfs(tar, options) {
      const image = await images.importRootfs(tar, options);
      publish('import', image.id);
      return image;
    },
  };
}
