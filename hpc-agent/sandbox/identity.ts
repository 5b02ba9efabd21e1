/**
 * Whom a capsule runs as on the host. bubblewrap started by root leaves /proc/sys open for writing inside (the kernel's
 * view of the user stays 0), so an agent that is root lends every workspace an unallocated user id of its own: no file
 * on the host belongs to it, and no two capsules share one. An agent that is not root runs capsules as itself.
 */
import { workspaceSlots } from '../limits.ts';

/** The host's user and group of one workspace; `own` when it is the agent's. */
export type Identity = { readonly kind: 'own' } | { readonly kind: 'lent'; readonly uid: number; readonly gid: number };

/**
 * @param euid the agent's effective user id
 * @param uidMap content of /proc/self/uid_map (user_namespaces(7))
 * @param slot 0 to `workspaceSlots` - 1
 */
export function identityForSlot(euid: number, uidMap: string, slot: number): Identity {
  if (euid !== 0) return { kind: 'own' };
  if (isMapped(uidMap, lentBase) && isMapped(uidMap, lentBase + workspaceSlots - 1)) {
    return { kind: 'lent', uid: lentBase + slot, gid: lentBase + slot };
  }
  return { kind: 'lent', uid: nobody, gid: nobody };
}

/** Between the ranges that systemd gives to containers and to foreign images (systemd.io/UIDS-GIDS): nobody allocates it. */
const lentBase = 1_900_000_000;

/** Where a container maps too few ids for the range above. */
const nobody = 65_534;

function isMapped(uidMap: string, uid: number): boolean {
  return uidMap
    .trim()
    .split('\n')
    .some((line) => {
      const [inside, , count] = line.trim().split(/\s+/).map(Number);
      return inside !== undefined && count !== undefined && uid >= inside && uid < inside + count;
    });
}
