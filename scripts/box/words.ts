/** Boxes in words, for a terminal. */
import type { DeskAnswer, DeskBox } from '../../device/control/desk-files.ts';
import { durationText, harmless, table, timeText, type Style, type Terminal } from '../terminal.ts';

type Paint = Pick<Terminal, 'paint'>;
type State = DeskBox['standing']['state'];
type News = DeskBox['readings'][number]['news'];

const STYLE: Readonly<Record<State, Style | undefined>> = {
  ...{ off: 'quiet', booting: undefined, attesting: undefined },
  ...{ ready: 'good', working: 'good', suspect: 'warning', fenced: 'bad' },
};
const SOURCE_WORDS = { wires: 'wires', simulated: 'simulated', ipmi: 'IPMI', redfish: 'Redfish' } as const;
/** The feed of a box has its voltage also while the box is off. */
const MAINS_GONE_BELOW_MV = 1_000;
const THOUSANDTHS: Readonly<Record<string, string>> = { mW: 'W', mJ: 'J', mV: 'V', mA: 'A', 'm°C': '°C' };

/** A row of the list: a box, or one of a device that does not answer. */
export interface ListedBox {
  readonly device: string;
  readonly box: string;
  readonly shown: DeskBox | undefined;
}

export function listText(boxes: readonly ListedBox[], atMs: number, terminal: Paint): string {
  const isGrid = boxes.some(({ device }) => device !== boxes[0]?.device);
  const head = ['box', ...(isGrid ? ['device'] : []), 'state', 'since', 'power', 'takes', 'by', 'why'];
  const rows = boxes.map(({ device, box, shown }) => [
    box,
    ...(isGrid ? [device] : []),
    ...(shown ? cellsOf(shown, atMs, terminal) : [terminal.paint('bad', '?'), '', '', '', '', `device ${device} does not answer`]),
  ]);
  return table([head.map((word) => terminal.paint('quiet', word)), ...rows]);
}

function cellsOf({ standing, problem, readings }: DeskBox, atMs: number, terminal: Paint): string[] {
  const { state, sinceMs, power, source, detail } = standing;
  const feed = readings.find(({ news }) => news.quantity === 'power');
  return [
    stateText(state, terminal),
    durationText(Math.max(0, atMs - sinceMs)),
    power === 'unknown' ? '?' : power,
    feed ? valueText(feed.news, terminal) : '-',
    source === undefined ? (problem === undefined ? '-' : terminal.paint('bad', 'away')) : SOURCE_WORDS[source],
    harmless(problem === undefined ? detail : `${detail}; ${problem}`),
  ];
}

export function boxText(device: string, box: DeskBox, atMs: number, terminal: Paint): string {
  const { standing, runs, against, verbs, problem, readings } = box;
  const { state, cause, detail, sinceMs, power, source } = standing;
  const held =
    source === undefined ? (problem ?? 'nothing is wired to it') : `${SOURCE_WORDS[source]}: ${verbs.join(', ') || 'nothing to switch'}`;
  const rows = [
    ['state', stateText(state, terminal), `since ${timeText(sinceMs)} (${durationText(Math.max(0, atMs - sinceMs))})`],
    ['cause', cause, harmless(detail)],
    ['power', power === 'unknown' ? 'not known' : power, ''],
    ['runs', String(runs), ''],
    ['held by', harmless(held), ''],
    ...against.map(({ alarm, about }) => ['against', alarm, about]),
  ];
  const sensed = readings.map(({ sensor, news }) => [
    sensor,
    valueText(news, terminal),
    news.quality === 'good' ? '' : harmless(`${news.quality}${news.detail === undefined ? '' : `: ${news.detail}`}`),
  ]);
  const next = nextWords(box);
  return [
    `${terminal.paint('strong', box.box)} of device ${device}`,
    table(alignedFirst(rows)),
    ...(sensed.length === 0 ? [] : [terminal.paint('quiet', '  sensors'), table(sensed, '    ')]),
    ...(next === undefined ? [] : [`  ${next}`]),
  ].join('\n');
}

/** Only the first column is aligned where the second holds sentences. */
function alignedFirst(rows: readonly (readonly string[])[]): string[][] {
  return rows.map(([name = '', ...rest]) => [name, rest.filter((cell) => cell !== '').join('  ')]);
}

/** What leads on from here, where it is the operator's turn. */
export function nextWords({ box, standing: { state, cause }, released, against }: DeskBox): string | undefined {
  if (state === 'off' && cause === 'ordered-off') return `It comes back by: npm run box -- on ${box}`;
  if (state !== 'fenced' && state !== 'suspect') return undefined;
  if (state === 'fenced' && !released) return `It comes back by: npm run box -- release ${box}`;
  if (against.length > 0)
    return 'It comes back once what stands against it is measured to be over, or released, and it has shown fresh evidence.';
  return 'It comes back with fresh evidence.';
}

/** Its power did not follow an order that was done, with what is sensed of its mains. */
export function unmovedText(verb: string, { box, standing, readings, verbs }: DeskBox): string {
  const feed = readings.find(({ news }) => news.quantity === 'power')?.sensor.replace(/power$/, 'voltage');
  const volts = readings.find(({ sensor, news }) => sensor === feed && news.quantity === 'voltage' && news.quality === 'good');
  const isDead = verb === 'on' && volts !== undefined && (volts.news.value ?? 0) < MAINS_GONE_BELOW_MV;
  const mains = verbs.includes('restore-mains') ? `; where its device has cut them: npm run box -- restore-mains ${box}` : '';
  return [
    `${verb} of ${box} was done, and the box does not follow: its power is ${standing.power}, ${harmless(standing.detail)}`,
    isDead ? `${volts.sensor} is ${(volts.news.value ?? 0) / 1_000} V: no mains reach it${mains}` : `npm run box -- show ${box}`,
  ].join('. ');
}

/** In one line. */
export function standingText({ box, standing }: DeskBox, terminal: Paint): string {
  const { state, power, detail } = standing;
  return `${box} is ${stateText(state, terminal)}, its power ${power === 'unknown' ? 'not known' : power}: ${harmless(detail)}`;
}

export function stateText(state: State, terminal: Paint): string {
  const style = STYLE[state];
  return style ? terminal.paint(style, state) : state;
}

function valueText({ quantity, value, unit, quality }: News, terminal: Paint): string {
  if (value === undefined) return terminal.paint('bad', quality);
  if (quantity === 'intrusion') return value === 0 ? 'shut' : terminal.paint('bad', 'open');
  if (quantity === 'disk') return value === 0 ? 'idle' : 'active';
  const large = THOUSANDTHS[unit];
  const words = large === undefined ? `${value} ${unit}` : `${(value / 1_000).toFixed(1)} ${large}`;
  return quality === 'good' ? words : terminal.paint('warning', words);
}

/** Why an order was not done, and what would be right. */
export function refusalText(box: string, verb: string, { outcome, reason = 'unknown', detail = '' }: DeskAnswer): string {
  const advice = ADVICE[reason];
  const right = advice === undefined ? '' : `; ${advice.replaceAll('BOX', box)}`;
  return `${verb} of ${box} ${outcome === 'refused' ? 'is refused' : 'failed'} (${reason}): ${harmless(detail)}${right}`;
}

const ADVICE: Readonly<Record<string, string>> = {
  fenced: 'npm run box -- release BOX',
  busy: 'wait until that is done, and try again',
  stale: 'set the clock right, or try again',
  interrupted: 'npm run box -- show BOX',
  'already-on': 'nothing was done',
  'already-off': 'nothing was done',
  'unknown-state': 'npm run box -- show BOX tells what is sensed',
  'no-answer': 'npm run box -- show BOX tells when it is back',
  'not-open': 'the device tries again by itself',
  'unknown-box': 'npm run box -- list',
};
