/** Whether a device follows the same members as before, with the same keys at the same addresses. */
import { hex } from '#protocol/digest.ts';
import { memberDigest, type Member } from '#protocol/network.ts';

export function sameMembers(some: readonly Member[], others: readonly Member[]): boolean {
  return wordsOf(some) === wordsOf(others);
}

function wordsOf(members: readonly Member[]): string {
  return members
    .map((member) => hex(memberDigest(member)))
    .sort()
    .join();
}
