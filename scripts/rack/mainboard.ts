/** The power of a simulated box, as an ATX mainboard has it: what buttons and mains do, and when. Pure. Specification §16.4. */

export type PowerPhase = 'no-mains' | 'standby' | 'booting' | 'running' | 'stopping' | 'sleeping';

/** What a mainboard does when the mains come back: stay off, switch on, or what it was. */
export type AfterMains = 'off' | 'on' | 'last';

export interface Mainboard {
  readonly phase: PowerPhase;
  /** Since when it is in this phase, in milliseconds; booting stands still while reset is held. */
  readonly phaseMs: number;
  /** How long the power button has been held; absent when it is not. */
  readonly heldMs?: number;
  /** The press that is under way has done what it does. */
  readonly hasActed: boolean;
  readonly isResetHeld: boolean;
  readonly bootMs: number;
  readonly afterMains: AfterMains;
  /** Whether it was on when the mains were cut. */
  readonly wasOn: boolean;
}

export type MainboardEvent =
  | { readonly kind: 'power-button' | 'reset-button'; readonly isPressed: boolean }
  | { readonly kind: 'mains'; readonly isThere: boolean }
  /** The system has ended, as it was asked to; a button that is held meanwhile has to be pressed anew. */
  | { readonly kind: 'system-ended' }
  /** The system wants to sleep. */
  | { readonly kind: 'sleep' };

/** What the mainboard does to the system that runs on it. */
export type Order = 'start' | 'ask-to-end' | 'kill' | 'freeze' | 'thaw';

export interface MainboardStep {
  readonly board: Mainboard;
  readonly orders: readonly Order[];
}

/** Contacts bounce; what is shorter is no press. */
const PRESS_MIN_MS = 50;
/** ATX: the mainboard switches off by itself, whatever runs on it. */
const OVERRIDE_MS = 4_000;
const BLINK_HALF_MS = 500;

export function newMainboard(options: { readonly bootMs: number; readonly afterMains: AfterMains }): Mainboard {
  const phase = options.afterMains === 'on' ? 'booting' : 'standby';
  return { ...options, phase, phaseMs: 0, hasActed: false, isResetHeld: false, wasOn: false };
}

export function stepMainboard(board: Mainboard, event: MainboardEvent): MainboardStep {
  switch (event.kind) {
    case 'power-button':
      return event.isPressed ? pressPower(board) : releasePower(board);
    case 'reset-button':
      return event.isPressed ? pressReset(board) : still({ ...board, isResetHeld: false });
    case 'mains':
      return event.isThere ? restoreMains(board) : cutMains(board);
    case 'system-ended':
      return board.phase === 'stopping' ? still({ ...into(board, 'standby'), hasActed: true }) : still(board);
    case 'sleep':
      return board.phase === 'running' ? { board: into(board, 'sleeping'), orders: ['freeze'] } : still(board);
  }
}

/** Milliseconds until something happens by itself; undefined for never. */
export function untilNextChange(board: Mainboard): number | undefined {
  const ends = [
    ...(board.heldMs === undefined || board.hasActed ? [] : [PRESS_MIN_MS - board.heldMs, OVERRIDE_MS - board.heldMs]),
    ...(board.phase === 'booting' && !board.isResetHeld ? [board.bootMs - board.phaseMs] : []),
    ...(board.phase === 'sleeping' ? [BLINK_HALF_MS - (board.phaseMs % BLINK_HALF_MS)] : []),
  ].filter((ms) => ms > 0);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/** @param ms at most `untilNextChange` */
export function passMainboardTime(board: Mainboard, ms: number): MainboardStep {
  const standsStill = board.phase === 'booting' && board.isResetHeld;
  const later: Mainboard = {
    ...board,
    phaseMs: board.phaseMs + (standsStill ? 0 : ms),
    ...(board.heldMs !== undefined && { heldMs: board.heldMs + ms }),
  };
  if (isHeldFor(later, OVERRIDE_MS) && isLit(later)) return { board: { ...into(later, 'standby'), hasActed: true }, orders: ['kill'] };
  if (isHeldFor(later, PRESS_MIN_MS) && later.phase === 'standby') return still({ ...into(later, 'booting'), hasActed: true });
  if (later.phase === 'booting' && later.phaseMs >= later.bootMs && !later.isResetHeld)
    return { board: into(later, 'running'), orders: ['start'] };
  return still(later);
}

export function powerLed({ phase, phaseMs }: Mainboard): 0 | 1 {
  if (phase === 'sleeping') return Math.floor(phaseMs / BLINK_HALF_MS) % 2 === 0 ? 1 : 0;
  return phase === 'booting' || phase === 'running' || phase === 'stopping' ? 1 : 0;
}

/** Whether something runs on it, or is about to. */
export function isLit({ phase }: Mainboard): boolean {
  return phase !== 'no-mains' && phase !== 'standby';
}

function pressPower(board: Mainboard): MainboardStep {
  return board.heldMs === undefined ? still({ ...board, heldMs: 0, hasActed: false }) : still(board);
}

/** The system hears of a press when it is over: until then it may become one that switches off. */
function releasePower({ heldMs, ...board }: Mainboard): MainboardStep {
  const counts = heldMs !== undefined && heldMs >= PRESS_MIN_MS && !board.hasActed;
  if (counts && board.phase === 'running') return { board: into(board, 'stopping'), orders: ['ask-to-end'] };
  if (counts && board.phase === 'sleeping') return { board: into(board, 'running'), orders: ['thaw'] };
  return still(board);
}

function pressReset(board: Mainboard): MainboardStep {
  if (board.isResetHeld) return still(board);
  const held = { ...board, isResetHeld: true };
  return isLit(board) ? { board: into(held, 'booting'), orders: ['kill'] } : still(held);
}

function cutMains(board: Mainboard): MainboardStep {
  if (board.phase === 'no-mains') return still(board);
  const cut = { ...into(board, 'no-mains'), wasOn: isLit(board), hasActed: true };
  return isLit(board) ? { board: cut, orders: ['kill'] } : still(cut);
}

/** A button counts from here on how long it has been held. */
function restoreMains(board: Mainboard): MainboardStep {
  if (board.phase !== 'no-mains') return still(board);
  const isOn = board.afterMains === 'on' || (board.afterMains === 'last' && board.wasOn);
  return still({ ...into(board, isOn ? 'booting' : 'standby'), ...(board.heldMs !== undefined && { heldMs: 0 }) });
}

function isHeldFor({ heldMs, hasActed }: Mainboard, ms: number): boolean {
  return heldMs !== undefined && !hasActed && heldMs >= ms;
}

function into(board: Mainboard, phase: PowerPhase): Mainboard {
  return { ...board, phase, phaseMs: 0 };
}

function still(board: Mainboard): MainboardStep {
  return { board, orders: [] };
}
