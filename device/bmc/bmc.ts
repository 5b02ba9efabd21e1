/** What a management controller is asked, whichever language it speaks, and how that fails. Specification §16.5. */
import type { PowerFailure, PowerState, PowerVerb, SensorDefinition } from '../board/ports.ts';

export interface BmcState {
  readonly power: PowerState;
  /** Absent where the BMC has no switch for it. */
  readonly isOpen?: boolean;
}

/** A whole number in the unit of the sensor's quantity, or why there is none. */
export type BmcValue =
  | { readonly value: number; readonly quality: 'good' }
  | { readonly value: number; readonly quality: 'out-of-range' | 'failed'; readonly detail: string };

/** One command at a time: whoever holds it waits for each answer. Every promise rejects with {@link BmcFailed} and nothing else. */
export interface Bmc {
  readonly source: 'ipmi' | 'redfish';
  /** Its analog ones; intrusion is part of the state. */
  readonly sensors: readonly SensorDefinition[];
  readonly verbs: readonly PowerVerb[];
  /** Whether its state tells of the chassis. */
  readonly sensesIntrusion: boolean;
  state(): Promise<BmcState>;
  /** By the names of `sensors`; a sensor that is not in it gave nothing. */
  /** @param overtaken ends it early, by its reason: an order wants the BMC */
  values(overtaken: AbortSignal): Promise<ReadonlyMap<string, BmcValue>>;
  order(verb: PowerVerb): Promise<void>;
  /** Whether it senses what it did not when it was opened, now that the box is on. */
  sensesMore(): Promise<boolean>;
  /** Never rejects. */
  close(): Promise<void>;
}

/** The message says what was wrong and what would be right; it never holds a password. */
export class BmcFailed extends Error {
  readonly reason: PowerFailure;

  constructor(reason: PowerFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** For whoever makes errors of sentences. */
export function noAccess(message: string): BmcFailed {
  return new BmcFailed('no-access', message);
}

export const INTRUSION = 'chassis-intrusion';
