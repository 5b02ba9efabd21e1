/**
 * How soon a box is cut off (specification §17.2): from its door being opened, and from a challenge to a box whose TPM has another register
 * than before, to the line of the device's log that says so. A device process, its broker, a rack process, an agent, a software TPM.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeBootLog } from '#protocol/measured-box/uefi-log.ts';
import { askDesk } from '../../device/control/ask-desk.ts';
import { connectTpm } from '../../device/identity/connect.ts';
import { pcrExtend } from '../../device/tpm/pcr.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../device/tpm/swtpm.ts';
import { openBoxTpm, type BoxTpm } from '../../hpc-agent/tpm/box-tpm.ts';
import type { Grid } from '../grid/grid.ts';
import { boxOf, GRID_DEVICES, GRID_RACK } from '../grid/layout.ts';
import { followLog } from '../grid/log-tail.ts';
import { askRack } from '../rack/ask-rack.ts';
import type { RackRequest } from '../rack/rack-messages.ts';
import type { BenchContext, Benchmark, Measured, Row } from './benchmark.ts';
import { bootLogOf, sha256Of } from './made-logs.ts';
import { startEchoDevice } from './mqtt-round-trip.ts';
import { percentile, type Rounds } from './rounds.ts';

export const fencing: Benchmark = {
  name: 'fencing',
  summary: 'from an open door, and from a challenge to a box with a changed register, to the box being fenced',
  metric: 'fencing',
  run: async (context) => {
    const { grid, quick, folder, progress } = context;
    const held = new HeldBox(await grid.take());
    const count = quick ? 5 : 30;
    const door = await openedDoors(held, count, progress);
    const rows = rowsOf('door opened → fenced', door, 'a question to the rack and its answer', DOOR_NOTE);
    try {
      const changed = await changedRegisters(held, count, { folder: join(folder, 'fencing'), progress });
      return [...rows, ...rowsOf('changed PCR asked for → fenced', changed, 'an MQTT round trip and one such quote', PCR_NOTE)];
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return [...rows, { status: 'not-measured', metric: 'changed PCR asked for → fenced', reason }];
    }
  },
};

/** The last device: what becomes of its box is no other benchmark's business. */
const DEVICE = GRID_DEVICES.at(-1) ?? '';
const BOX = boxOf(DEVICE);
const DOOR_NOTE = 'rack, wires, 5 ms in which a contact bounces, device; to the line of its log, whole milliseconds of one clock';
const PCR_NOTE =
  'from the word of the operator, by which a box is asked at once, to the line of the log; a device asks a box at work after 1 to 20 s first, then at moments that it draws (§6.6)';
/** An agent that is started again makes the keys of its TPM first. */
const waitMs = 60_000;
/** From the device's word to the hello. */
const helloMs = 1_000;
const FIRST_EVENTS = 12;
const CHANGED_PCR = 14;

/** A box of the grid as an operator, a hand at its door and a reader of the log know it. */
class HeldBox {
  readonly #grid: Grid;
  constructor(grid: Grid) {
    this.#grid = grid;
  }

  get state(): string {
    return this.#grid.layout.box(BOX);
  }

  get tpmAuthority(): string {
    return this.#grid.layout.tpmAuthority;
  }

  async rack(request: RackRequest): Promise<void> {
    const reply = await askRack(this.#grid.layout.rackSocket(GRID_RACK), request);
    if (reply.is === 'refused') throw new Error(`the rack refused ${request.do}: ${reply.detail}`);
  }

  async order(verb: 'fence' | 'release'): Promise<void> {
    const asked = await askDesk(this.#grid.layout.device(DEVICE), { request: { ask: 'order', box: BOX, verb } });
    if (asked.status !== 'answered') throw new Error(`device ${DEVICE} does not answer its operator`);
    if (asked.answer.outcome !== 'done') throw new Error(`device ${DEVICE} did not ${verb} ${BOX}: ${asked.answer.detail ?? ''}`);
  }

  /** Its box starts it again; it says hello, and is asked what it is once it is released. */
  async restartAgent(): Promise<void> {
    await this.order('fence');
    const end = (): void => {
      const processId = this.#grid.agents.get(BOX)?.processId;
      if (processId !== undefined) process.kill(processId, 'SIGTERM');
    };
    await this.until('device-trusted', end, BOX);
    await sleep(helloMs);
    await this.order('release');
  }

  /** @returns milliseconds from before `act` to the moment that a log gives the first line with `words` after that */
  async until(words: string, act: () => Promise<void> | void, whose = DEVICE): Promise<number> {
    const tail = followLog(whose, join(this.#grid.layout.logs, `${whose}.log`));
    try {
      const startedAtMs = Date.now();
      await act();
      const line = await tail.waitForLine(words, waitMs);
      return Date.parse(line.slice(0, line.indexOf(' '))) - startedAtMs;
    } finally {
      tail.close();
    }
  }
}

async function openedDoors(held: HeldBox, count: number, progress: BenchContext['progress']): Promise<Rounds> {
  const samples = { ours: [] as number[], floor: [] as number[] };
  for (let round = 0; round < count; round += 1) {
    progress(`door ${round + 1} of ${count}`);
    samples.floor.push(await timed(() => held.rack({ do: 'status' })));
    samples.ours.push(await held.until('to=fenced cause=intrusion', () => held.rack({ do: 'door', box: BOX, isOpen: true })));
    await held.until('to=ready', async () => {
      await held.rack({ do: 'door', box: BOX, isOpen: false });
      await held.order('release');
    });
  }
  return samples;
}

async function changedRegisters(
  held: HeldBox,
  count: number,
  { folder, progress }: { folder: string; progress: BenchContext['progress'] },
): Promise<Rounds> {
  mkdirSync(folder, { recursive: true });
  const software = await startSoftwareTpm({ folder: join(folder, 'tpm'), authorityFolder: held.tpmAuthority });
  const echo = await startEchoDevice(join(folder, 'echo'));
  try {
    progress('the box gets a TPM');
    const other = await giveTpm(held, software, folder);
    const samples = { ours: [] as number[], floor: [] as number[] };
    for (let round = 0; round < count; round += 1) {
      progress(`changed register ${round + 1} of ${count}`);
      samples.floor.push(await timed(() => quoteOverMqtt(echo, other)));
      await held.order('fence'); // a box that is ready would be asked some minutes later
      await extend(software, CHANGED_PCR, sha256Of(randomBytes(32)));
      samples.ours.push(await held.until('alarm=evidence-refused', () => held.order('release')));
    }
    return samples;
  } finally {
    await echo.stop();
    await software.stop();
  }
}

/** Measured as the log says, known to the agent, activated by the device. @returns another hand on the same TPM */
async function giveTpm(held: HeldBox, software: SoftwareTpm, folder: string): Promise<BoxTpm> {
  const [bootLog, imaLog] = [join(folder, 'boot.log'), join(folder, 'ima.log')];
  const boot = bootLogOf(FIRST_EVENTS);
  const decoded = decodeBootLog(boot);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  for (const { pcr, digest } of decoded.value.events) await extend(software, pcr, digest);
  writeFileSync(bootLog, boot);
  writeFileSync(imaLog, '');
  const configuration = { tcti: software.tcti, bootLog, imaLog };
  const other = await openBoxTpm(configuration, join(folder, 'keys'), () => undefined);
  writeFileSync(join(held.state, 'tpm.json'), JSON.stringify(configuration), { mode: 0o600 });
  await held.until(`boxActivated box=${BOX}`, () => held.restartAgent());
  return other;
}

async function extend({ tcti }: SoftwareTpm, pcr: number, digest: Uint8Array): Promise<void> {
  const tpm = await connectTpm(tcti);
  await pcrExtend(tpm, pcr, 'sha256', digest).finally(() => tpm.close());
}

/** What a challenge and its answer take at least: there and back, and the quote, by the same tools. */
async function quoteOverMqtt(echo: { roundTripMs(payload: Uint8Array): Promise<number> }, tpm: BoxTpm): Promise<void> {
  const bytes = (): Uint8Array => new Uint8Array(randomBytes(32));
  await echo.roundTripMs(bytes());
  await tpm.answer({ network: bytes(), beacon: bytes(), run: `${'0'.repeat(32)}.1`, boxKey: bytes(), software: bytes(), nonce: bytes() });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function rowsOf(what: string, { ours, floor }: Rounds, floorName: string, note: string): Row[] {
  const row = (name: string, share: number): Measured => ({
    ...{ status: 'measured', metric: `${what}, ${name}`, unit: ' ms', better: 'lower' },
    ours: [percentile(ours, share)],
    floor: { name: floorName, samples: [percentile(floor, share)] },
    note: `${ours.length} rounds; ${note}`,
  });
  return [row('p50', 0.5), row('p99', 0.99)];
}
