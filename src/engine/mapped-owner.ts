import { DabbaError } from '#base';
import { outsideId, type IdMapping } from '#kernel';

/** What root of a mapping is on the machine. Throws `InvalidArgument` for a mapping without it. */
export function rootOf(ids: IdMapping): { readonly uid: number; readonly gid: number } {
  return ownerOnMachine(ids, { uid: 0, gid: 0 });
}

/** An owner as the machine calls it. Throws `InvalidArgument` for one that is not mapped. */
export function ownerOnMachine(
  ids: IdMapping,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): { readonly uid: number; readonly gid: number } {
  const owner = { uid: outsideId(ids.users, uid), gid: outsideId(ids.groups, gid) };
  if (owner.uid === undefined || owner.gid === undefined)
    throw new DabbaError('InvalidArgument', `the user and group ${uid}:${gid} are not among the ids that are mapped`);
  return { uid: owner.uid, gid: owner.gid };
}
