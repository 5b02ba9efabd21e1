/** Whether a device follows the same members as before, at the same addresses. */
import type { Member } from '#protocol/network.ts';

export function sameMembers(some: readonly Member[], others: readonly Member[]): boolean {
  return wordsOf(some) === wordsOf(others);
}

function wordsOf(members: readonly Member[]): string {
  return members
    .map(({ name, peersUrl }) => `${name} ${peersUrl}`)
    .sort()
    .join();
}
