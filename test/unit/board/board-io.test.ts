/** The IO plugin: what johnny-five may do to a line, and what it may not. Specification §16.2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBoardIo } from '../../../device/board/board-io.ts';
import { boardOf } from '../../../device/board/definition.ts';
import type { Devices, Edge, Level, Line, LineRequest } from '../../../device/board/devices.ts';

/** Lines that remember what was done to them. */
function bench(): { readonly devices: Devices; readonly log: string[]; readonly edge: (offset: number, level: Level) => void } {
  const log: string[] = [];
  const listeners = new Map<number, (edge: Edge) => void>();
  const line = ({ offset, direction }: LineRequest): Line => ({
    read: () => 0,
    write: (level) => {
      assert.equal(direction, 'output', `line ${offset} was driven`);
      log.push(`${offset} driven to ${level}`);
    },
    setBias: (bias) => void log.push(`${offset} biased ${bias}`),
    onEdge: (say) => void listeners.set(offset, say),
    close: () => void log.push(`${offset} let go`),
  });
  const devices: Devices = {
    source: 'simulated',
    openChip: () => ({
      lines: 64,
      request: (request) => {
        if (request.offset === 9) throw new Error('line 9 is held by "another"');
        log.push(`${request.offset} requested as ${request.direction}${request.level === undefined ? '' : ` at ${request.level}`}`);
        return line(request);
      },
      close: () => void log.push('chip closed'),
    }),
    openBus: () => Promise.reject(new Error('there is no bus')),
    readHwmon: () => Promise.reject(new Error('there is no sensor')),
  };
  return { devices, log, edge: (offset, level) => listeners.get(offset)?.({ level, atNs: 0n, sequence: 1 }) };
}

const written = { board: 'mine', title: 'A board', description: 'For a test.', gpio: { chip: 'a-chip' } };
const definition = boardOf(
  { ...written, lines: { powerButton: { line: 1 }, powerLed: { line: 2 }, intrusion: { line: 3, contact: 'normally-open' } } },
  undefined,
);

test('every line is requested before anything else, outputs at their inactive level, and let go at it (§16.2)', async () => {
  const { devices, log } = bench();
  const io = await openBoardIo(definition, devices);
  assert.deepEqual(log, ['1 requested as output at 0', '2 requested as input', '3 requested as input']);
  io.digitalWrite(io.pinOf('powerButton') ?? -1, 1);
  io.close();
  io.close();
  assert.deepEqual(log.slice(3), ['1 driven to 1', '1 driven to 0', '3 let go', '2 let go', '1 let go', 'chip closed']);
  assert.throws(() => io.digitalWrite(0, 1), /lines\.powerButton is let go/);
});

test('a HIGH that the library writes to an input is a pull-up, and drives nothing; its edges are said (§16.2)', async () => {
  const { devices, log, edge } = bench();
  const io = await openBoardIo(definition, devices);
  const lid = io.pinOf('intrusion') ?? -1;
  io.digitalWrite(lid, io.HIGH);
  assert.deepEqual(log.slice(3), ['3 biased pull-up']);
  const said: Level[] = [];
  io.digitalRead(lid, (level) => said.push(level));
  assert.deepEqual(said, []); // a component is not made yet when it asks
  await Promise.resolve();
  edge(3, 1);
  assert.deepEqual(said, [0, 1]);
  io.close();
});

test('a component can turn no line round, and a bias of board.yaml stays (§16.2)', async () => {
  const { devices, log } = bench();
  const lines = { powerButton: { line: 1 }, powerLed: { line: 2, bias: 'pull-down' } } as const;
  const io = await openBoardIo(boardOf({ ...written, lines }, undefined), devices);
  const [button, led] = [io.pinOf('powerButton') ?? -1, io.pinOf('powerLed') ?? -1];
  assert.throws(() => io.pinMode(led, io.MODES.OUTPUT), /lines\.powerLed is an input; it can't have mode 1/);
  assert.throws(() => io.pinMode(button, io.MODES.INPUT), /lines\.powerButton is an output/);
  io.digitalWrite(led, 1);
  assert.equal(log.length, 2);
  assert.equal(io.pinOf('buzzer'), undefined);
  io.close();
});

test('a line that can’t be had is named by its key, and those that were had are let go (§16.2)', async () => {
  const { devices, log } = bench();
  const lines = { powerLed: { line: 2 }, diskLed: { line: 9 } };
  await assert.rejects(
    openBoardIo(boardOf({ ...written, lines }, undefined), devices),
    /lines\.diskLed on "a-chip": line 9 is held by "another"/,
  );
  assert.deepEqual(log.slice(-2), ['2 let go', 'chip closed']);
});
