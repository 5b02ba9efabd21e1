/**
 * The physics of a simulated box: its power, the heat that this makes, fans and the door, and what time and events do to them.
 * Pure. In whole numbers: mW · ms = µJ, so that no joule is lost. Specification §16.4.
 */
import { isLit, newMainboard, passMainboardTime, stepMainboard, untilNextChange } from './mainboard.ts';
import type { AfterMains, Mainboard, MainboardEvent, Order } from './mainboard.ts';

/** What a box draws and how it carries heat away. */
export interface BoxDesign {
  readonly standbyMw: number;
  readonly sleepMw: number;
  readonly bootMw: number;
  /** On, without load, and with every processor busy; both at the 12 V feed. */
  readonly idleMw: number;
  readonly fullMw: number;
  /** Of that, without load, the accelerator's part, which has nothing to do here, and the processor's. */
  readonly acceleratorMw: number;
  readonly processorIdleMw: number;
  /** The power supply's own loss: fixed, and in thousandths of what it gives. */
  readonly supplyLossMw: number;
  readonly supplyLossPermille: number;
  readonly ambientMilliC: number;
  /** Microjoules that warm it by a thousandth of a degree. */
  readonly heatCapacityUj: number;
  /** Milliwatts that leave for each degree above ambient: without fans, and more for each rpm. */
  readonly stillMwPerC: number;
  /** Revolutions a minute at the lower and at the upper end of the fan curve. */
  readonly fanRpm: readonly [number, number];
  readonly fanMilliC: readonly [number, number];
}

export const BENCH_BOX: BoxDesign = {
  standbyMw: 1_200,
  sleepMw: 4_000,
  bootMw: 62_000,
  idleMw: 38_000,
  fullMw: 165_000,
  acceleratorMw: 9_000,
  processorIdleMw: 11_000,
  supplyLossMw: 900,
  supplyLossPermille: 60,
  ambientMilliC: 22_000,
  heatCapacityUj: 350_000,
  stillMwPerC: 900,
  fanRpm: [1_000, 3_600],
  fanMilliC: [40_000, 75_000],
};

export interface BoxState {
  readonly mainboard: Mainboard;
  /** Share of the processors that is busy, in thousandths. */
  readonly loadPermille: number;
  readonly isDiskActive: boolean;
  readonly isDoorOpen: boolean;
  /** Heat above ambient. */
  readonly heatUj: number;
  readonly fanRpm: number;
  /** Since the rack began: what came from the mains, and what went into the air. Mains = air + heat, to the microjoule. */
  readonly fromMainsUj: number;
  readonly intoAirUj: number;
}

export type BoxEvent =
  | MainboardEvent
  | { readonly kind: 'load'; readonly permille: number; readonly isDiskActive: boolean }
  | { readonly kind: 'door'; readonly isOpen: boolean };

export interface BoxStep {
  readonly state: BoxState;
  readonly orders: readonly Order[];
}

/** Heat and fans are taken as constant for so long; they change within seconds. */
const SLICE_MS = 100;
const FAN_SETTLES_MS = 600;
const PULSES_A_TURN = 2;
const MS_A_MINUTE = 60_000;

export function newBox(options: { readonly bootMs: number; readonly afterMains: AfterMains }): BoxState {
  const still = { heatUj: 0, fanRpm: 0, fromMainsUj: 0, intoAirUj: 0 };
  return { mainboard: newMainboard(options), loadPermille: 0, isDiskActive: false, isDoorOpen: false, ...still };
}

/** Time passes, then the event happens. @param ms whole, 0 or more */
export function step(design: BoxDesign, state: BoxState, ms: number, event?: BoxEvent): BoxStep {
  const passed = passTime(design, state, ms);
  if (!event) return passed;
  const happened = happen(passed.state, event);
  return { state: happened.state, orders: [...passed.orders, ...happened.orders] };
}

/** At the 12 V feed, in mW. */
export function feedMw(design: BoxDesign, { mainboard, loadPermille }: BoxState): number {
  switch (mainboard.phase) {
    case 'no-mains':
      return 0;
    case 'standby':
      return design.standbyMw;
    case 'sleeping':
      return design.sleepMw;
    case 'booting':
      return mainboard.isResetHeld ? design.idleMw : design.bootMw;
    case 'running':
    case 'stopping':
      return design.idleMw + Math.floor(((design.fullMw - design.idleMw) * loadPermille) / 1_000);
  }
}

/** The processor's part of it; what load adds is all the processor's. */
export function processorMw(design: BoxDesign, state: BoxState): number {
  return isAwake(state) ? design.processorIdleMw + feedMw(design, state) - design.idleMw : 0;
}

export function acceleratorMw(design: BoxDesign, state: BoxState): number {
  return isAwake(state) ? design.acceleratorMw : 0;
}

/** With what the power supply loses; without mains nothing. */
export function mainsMw(design: BoxDesign, state: BoxState): number {
  if (state.mainboard.phase === 'no-mains') return 0;
  const feed = feedMw(design, state);
  return feed + design.supplyLossMw + Math.floor((feed * design.supplyLossPermille) / 1_000);
}

/** Of the processor's heat sink, in m°C. */
export function processorMilliC(design: BoxDesign, { heatUj }: BoxState): number {
  return design.ambientMilliC + Math.floor(heatUj / design.heatCapacityUj);
}

/** Air that leaves is warmed by two fifths of what the heat sink is. */
export function exhaustMilliC(design: BoxDesign, state: BoxState): number {
  return design.ambientMilliC + Math.floor(((processorMilliC(design, state) - design.ambientMilliC) * 2) / 5);
}

/** Rising edges of a tachometer within `ms`. @param rest of the call before: what is on the way to the next edge */
export function tachometer(rest: number, rpm: number, ms: number): { readonly pulses: number; readonly rest: number } {
  const turned = rest + rpm * PULSES_A_TURN * ms;
  return { pulses: Math.floor(turned / MS_A_MINUTE), rest: turned % MS_A_MINUTE };
}

function isAwake({ mainboard }: BoxState): boolean {
  return isLit(mainboard) && mainboard.phase !== 'sleeping';
}

function passTime(design: BoxDesign, before: BoxState, ms: number): BoxStep {
  const orders: Order[] = [];
  let state = before;
  for (let left = ms; left > 0;) {
    const slice = Math.min(left, SLICE_MS, untilNextChange(state.mainboard) ?? SLICE_MS);
    const warmed = turn(design, warm(design, state, slice), slice);
    const passed = passMainboardTime(warmed.mainboard, slice);
    state = afterMainboard({ ...warmed, mainboard: passed.board });
    orders.push(...passed.orders);
    left -= slice;
  }
  return { state, orders };
}

function happen(state: BoxState, event: BoxEvent): BoxStep {
  switch (event.kind) {
    case 'load': {
      const isAlive = state.mainboard.phase === 'running' || state.mainboard.phase === 'stopping';
      const loadPermille = isAlive ? Math.max(0, Math.min(1_000, Math.round(event.permille))) : 0;
      return { state: { ...state, loadPermille, isDiskActive: isAlive && event.isDiskActive }, orders: [] };
    }
    case 'door':
      return { state: { ...state, isDoorOpen: event.isOpen }, orders: [] };
    default: {
      const { board, orders } = stepMainboard(state.mainboard, event);
      return { state: afterMainboard({ ...state, mainboard: board }), orders };
    }
  }
}

/** What does not run has no load. */
function afterMainboard(state: BoxState): BoxState {
  const { phase } = state.mainboard;
  return phase === 'running' || phase === 'stopping' ? state : { ...state, loadPermille: 0, isDiskActive: false };
}

function warm(design: BoxDesign, state: BoxState, ms: number): BoxState {
  const inUj = mainsMw(design, state) * ms;
  const aboveMilliC = Math.floor(state.heatUj / design.heatCapacityUj);
  const leavesMwPerC = design.stillMwPerC + state.fanRpm;
  const outUj = Math.min(state.heatUj, Math.floor((leavesMwPerC * aboveMilliC * ms) / 1_000));
  return {
    ...state,
    heatUj: state.heatUj + inUj - outUj,
    fromMainsUj: state.fromMainsUj + inUj,
    intoAirUj: state.intoAirUj + outUj,
  };
}

function turn(design: BoxDesign, state: BoxState, ms: number): BoxState {
  const wanted = isAwake(state) ? fanCurve(design, processorMilliC(design, state)) : 0;
  const missing = wanted - state.fanRpm;
  const change = Math.trunc((missing * Math.min(ms, FAN_SETTLES_MS)) / FAN_SETTLES_MS);
  const fanRpm = state.fanRpm + (change === 0 ? Math.sign(missing) : change);
  return { ...state, fanRpm };
}

function fanCurve({ fanRpm: [slow, fast], fanMilliC: [cool, hot] }: BoxDesign, milliC: number): number {
  const part = Math.max(0, Math.min(milliC - cool, hot - cool));
  return slow + Math.floor(((fast - slow) * part) / (hot - cool));
}
