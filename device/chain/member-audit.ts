/** How fast the members' chips run, and whether they win too much: fed with what is finalised, shown to people. Specification §12.5. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeAttestOf } from '#protocol/tpm/attest.ts';
import type { Instant } from '../consensus/events.ts';
import { judgeRate, noteSighting, nothingSighted, withoutOtherClocks, type RateAudit, type RateReport } from './rate-audit.ts';
import { judgeWins, noteWin, noWins, withoutOthers, type WinReport, type WinStatistics } from './win-statistics.ts';

/** An honest member is suspected by chance once in a thousand networks' lives. */
const FALSE_ALARM = 0.001;

export class MemberAudit {
  #rates: RateAudit = nothingSighted;
  #wins: WinStatistics = noWins;
  #blocks = 0;

  /** Finalised blocks that were counted since the start. */
  get window(): number {
    return this.#blocks;
  }

  /**
   * @param seen when the block came; absent where it came by catching up
   * @param pace `late`: finality stood still, or this member was away, and who led meanwhile tells who was there and not who cheats
   */
  finalised(block: ReadBlock, state: ChainState, { pace, seen }: { pace: 'prompt' | 'late'; seen: Instant | undefined }): void {
    const winner = hex(block.header.node);
    const inForce = new Set(state.core.seats.map(hex));
    this.#blocks += 1;
    if (pace === 'prompt') this.#wins = noteWin(withoutOthers(this.#wins, inForce), { winner, seats: presentSeats(state, winner) });
    const end = seen && decodeAttestOf('time', block.end.attestation);
    if (end?.status !== 'decoded' || !seen) return;
    const { time, clockInfo } = end.value.attested.timeInfo;
    const { resetCount, restartCount } = clockInfo;
    const attestedMs = Number(time);

    this.#rates = noteSighting(withoutOtherClocks(this.#rates, inForce), winner, { resetCount, restartCount, attestedMs, ...seen });
  }

  wins(node: string): WinReport | undefined {
    const tally = this.#wins.members.get(node);
    return tally && judgeWins(tally, FALSE_ALARM);
  }

  rate(node: string): (RateReport & { readonly overMs: number }) | undefined {
    const sightings = this.#rates.get(node);
    const [first, last] = [sightings?.[0], sightings?.at(-1)];
    if (!sightings || !first || !last) return undefined;
    return { ...judgeRate(sightings), overMs: Math.max(0, Math.round(last.monotonicMs - first.monotonicMs)) };
  }
}

/** Seats whose votes stand in one of the last certificates (§15): a member that is away leaves its wins to the others. */
function presentSeats({ core, members }: ChainState, winner: string): string[] {
  const { number } = core.checkpoint;
  const isPresent = (seat: string): boolean => seat === winner || number - (members.get(seat)?.votedIn ?? 0) < LIMITS.voteSilenceMax;
  return core.seats.map(hex).filter(isPresent);
}
