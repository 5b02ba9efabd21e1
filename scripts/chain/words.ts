/** Words for what several views of the chain show. */
import type { CheckpointLine } from '#protocol/chain/chain-view.ts';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { hex } from '#protocol/digest.ts';
import { durationText } from '../terminal.ts';

/** Enough digits of an id to name its block to `chain block`. */
export function shortId(id: Uint8Array): string {
  return hex(id).slice(0, 12);
}

/** "by 3 of 4 votes, 420 ms after the block came" */
export function howCertified({ votes, voters, round, afterMs }: CheckpointLine): string {
  if (votes === undefined) return 'the genesis, on which nobody votes';
  const later = round === undefined || round === 0 ? '' : ` in round ${round}`;
  return `by ${votes} of ${voters} votes${later}${afterMs === undefined ? '' : `, ${durationText(afterMs)} after the block came`}`;
}

/** Why nothing becomes final: "2 of 4 seats vote, 3 needed". */
export function whyNotFinal(voting: number, voters: number): string {
  const needed = quorumOf(voters);
  return voting < needed ? `${voting} of ${voters} seats vote, ${needed} needed` : `although ${voting} of ${voters} seats vote`;
}
