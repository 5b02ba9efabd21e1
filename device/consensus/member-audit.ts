/** How fast the members' chips run, and whether they win too much: fed with what is finalised, shown to people. Specification §12.5. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { decodeAttestOf } from '#protocol/tpm/attest.ts';
import type { Instant } from './events.ts';
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

  /** @param seen when the block came; absent where it came by catching up */
  finalised(block: ReadBlock, state: ChainState, seen: Instant | undefined): void {
    const winner = hex(block.header.node);
    const seats = state.core.seats.map(hex);
    const inForce = new Set(seats);
    this.#blocks += 1;
    this.#wins = noteWin(withoutOthers(this.#wins, inForce), { winner, seats });
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
