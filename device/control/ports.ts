/** What the room of jobs tells control and asks of it, and the other way about. Declarations only. Specification §17. */
import type { Hello, Report, SoftwareState } from '#protocol/box-messages.ts';
import type { EndReason } from '#protocol/capsule.ts';
import type { ControlOutcome, PowerCommand } from '#protocol/control-messages.ts';
import type { Dispute } from '#protocol/receipt.ts';
import type { RunEnergy, SensedBy } from '#protocol/run-energy.ts';

/**
 * `ready`: it may be given runs. `waiting`: it will be, once it has said what it is. `held`: something stands against it; what it
 * runs, it may end. `fenced`: it is cut off.
 */
export type BoxFitness = 'ready' | 'waiting' | 'held' | 'fenced';

/** A run that a box is at work on. */
export interface RunAtWork {
  readonly run: string;
  /** When the device gave it to the box, Unix ms; absent if it has not. */
  readonly givenAtMs?: number;
  /** As the box says. */
  readonly isRunning: boolean;
}

/** A challenge that waits for its answer. */
export interface Challenged {
  readonly nonce: Uint8Array;
  readonly issuedAtMs: number;
}

/** Another key makes another box, whatever its name. */
export interface NamedBox {
  readonly name: string;
  /** Ed25519, 32 bytes. */
  readonly signingKey: Uint8Array;
}

export interface BoxWatch {
  fitnessOf(box: string): BoxFitness;
  boxesPaired(boxes: readonly NamedBox[]): void;
  /** Any message that the broker took from the box. */
  heard(box: string): void;
  introduced(box: string, hello: Hello): void;
  /** The challenge of control's own that an answer with this run is to; what it is worth is then said by `attested` or `refused`. */
  challengeOf(box: string, run: string): Challenged | undefined;
  attested(box: string, run: string, software: SoftwareState): void;
  /** A box that rests is asked what it is now, and not at its next moment. */
  askNow(box: string): void;
  /** What the box has signed, about a run or itself, does not hold. */
  refused(box: string, detail: string): void;
  runsChanged(box: string, runs: readonly RunAtWork[]): void;
  /** The run is over. @returns what it took, where that is measured */
  energyOf(run: string): RunEnergy | undefined;
  /** To be called once the report is part of the job: it may come to be disputed by that. */
  reported(box: string, report: Report, energy: RunEnergy | undefined): void;
  command(client: string, command: PowerCommand): Promise<ControlOutcome>;
}

export interface JobsOfBoxes {
  /** Asks a box what it is. @param run 16 random bytes in hexadecimal, and attempt 1: no run has it */
  challenge(box: string, run: string, challenged: Challenged): void;
  /** Ends the runs of a box without receipts: all, or those that have not begun. */
  endRuns(box: string, which: 'all' | 'waiting', reason: EndReason & ('box-fenced' | 'box-lost'), detail: string): void;
  /** Holds something against all runs that are on the box. */
  dispute(box: string, dispute: Dispute): void;
  /** The fitness of a box is another. */
  fitnessChanged(): void;
  powerNow(run: string, power: { source: SensedBy; milliwatts: number; millijoules: number }): void;
}
