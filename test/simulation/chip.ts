/** A member's TPM in virtual time: busy, slow, failing, losing power; honest or forged. Specification §12.3. */
import type { ConsensusEvent, TpmTask } from '../../device/consensus/events.ts';
import type { Chance } from './chance.ts';
import { createDriftingClock, type DriftingClock } from './drifting-clock.ts';
import type { EventQueue } from './event-queue.ts';
import type { ChipReading, Identity, OperationalKey } from './identity.ts';
import type { Scenario } from './scenario.ts';

/** An event as the chip's driver hands it over; the host adds when. */
export type ChipAnswer = ConsensusEvent extends infer E ? (E extends { at: unknown } ? Omit<E, 'at'> : never) : never;

export interface Chip {
  /** Answers later, in the order of asking; never after the program that asked has ended. */
  ask(task: TpmTask, answer: (answer: ChipAnswer) => void): void;
  /** The program has ended: answers on their way are lost. */
  forget(): void;
  /** Power fails: Time begins at 0, the counts rise, the operational key is another. */
  reset(): void;
  operationalKey(): OperationalKey;
  resetCount(): number;
  readonly clock: DriftingClock;
  heal(): void;
}

export interface ChipSettings {
  readonly scenario: Scenario;
  readonly queue: EventQueue;
  readonly identity: Identity;
  readonly chance: Chance;
  readonly rate: number;
}

/** A chip that has nothing wrong with it. */
const healthyMs = 2;

export function createChip({ scenario, queue, identity, chance, rate }: ChipSettings): Chip {
  const clock = createDriftingClock(rate);
  const { faults } = scenario;
  let [resetCount, program, busyUntilMs, healed] = [1, 0, 0, false];
  const reading = (): ChipReading => ({ timeMs: Math.floor(clock.read(queue.nowMs)), resetCount, restartCount: 0 });
  const durationMs = (): number => (faults.has('tpm-slow') && !healed ? chance.between(scenario.tpmMinMs, scenario.tpmMaxMs) : healthyMs);
  const fails = (): boolean => faults.has('tpm-failure') && !healed && chance.happens(scenario.tpmFailureShare);
  return {
    clock,
    ask: (task, answer) => {
      const asker = program;
      busyUntilMs = Math.max(busyUntilMs, queue.nowMs) + durationMs();
      const failed = fails();
      queue.at(busyUntilMs, () => {
        if (asker !== program) return;
        answer(failed ? { type: 'tpmFailed', task } : perform(task, identity, reading()));
      });
    },
    forget: () => {
      program += 1;
    },
    reset: () => {
      program += 1;
      resetCount += 1;
      clock.reset(queue.nowMs);
    },
    operationalKey: () => identity.operationalKey(resetCount),
    resetCount: () => resetCount,
    heal: () => {
      healed = true;
    },
  };
}

function perform(task: TpmTask, identity: Identity, reading: ChipReading): ChipAnswer {
  switch (task.task) {
    case 'prove-draw':
      return { type: 'drawProved', alpha: task.alpha, proof: identity.proveDraw(task.alpha) };
    case 'certify-start':
      return { type: 'startCertified', parent: task.parent, certificate: identity.certifyTime(task.qualifier, reading) };
    case 'certify-end':
      return { type: 'endCertified', header: task.header, certificate: identity.certifyTime(task.qualifier, reading) };
    case 'make-voucher':
      return { type: 'voucherMade', voucher: identity.voucher(reading) };
  }
}
