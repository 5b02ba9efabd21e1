/**
 * A board whose wires break at any moment: nothing that is asked of it rejects, and nothing is thrown where nobody hears it, which would
 * end a device. Specification §16.2, §16.4.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { readBoard } from '../../../device/board/board-file.ts';
import type { BoxHardware, PowerVerb, Sign } from '../../../device/board/ports.ts';
import { simulatedDevices } from '../../../device/board/simulated/simulated-devices.ts';
import { openWiredBox } from '../../../device/board/wired-box.ts';
import { BoxWires, type Level, type WiredEnd } from '../../../scripts/rack/box-wires.ts';
import { rackFileText } from '../../../scripts/rack/rack.ts';

const program = fileURLToPath(new URL('../../../scripts/rack/main.ts', import.meta.url));
const SIGNS = ['ready', 'working', 'attention', 'none'] as const satisfies readonly Sign[];
const VERBS = ['on', 'hard-off', 'reset', 'cut-mains', 'restore-mains'] as const satisfies readonly PowerVerb[];
/** Lines of a box (§16.4). */
const [RESET, POWER_LED, STATUS_LED] = [1, 3, 8];
/** The board joins its wires again after a second. */
const JOINED_AGAIN_MS = 15_000;

type Demand = (box: BoxHardware) => Promise<unknown>;
const demand: fc.Arbitrary<Demand> = fc.oneof(
  fc.constantFrom(...SIGNS).map(
    (sign): Demand =>
      (box) =>
        box.signal(sign),
  ),
  fc.constantFrom(...VERBS).map(
    (verb): Demand =>
      (box) =>
        box.power(verb),
  ),
  fc.constant<Demand>((box) => box.show(['capstan', 'a code'])),
  fc.constant<Demand>((box) => box.sample()),
);

/** The wires of a rack, by way of a pair of scissors. */
class CutWires {
  readonly #path: string;
  readonly #server: Server;
  readonly #ends = new Set<Socket>();

  constructor(path: string, beyond: string) {
    this.#path = path;
    this.#server = createServer((near) => {
      const far = connect(beyond);
      for (const [end, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#ends.add(end);
        end
          .on('error', () => undefined)
          .on('close', () => {
            this.#ends.delete(end);
            other.destroy();
          });
        end.pipe(other);
      }
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#path);
    await once(this.#server, 'listening');
  }

  now(): void {
    for (const end of this.#ends) end.destroy();
  }

  close(): void {
    this.#server.close();
    this.now();
  }
}

describe('wires that break (§16.2, §16.4)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-wires-test-'));
  const at = (name: string): string => join(folder, name);
  const cut = new CutWires(at('cut.wires'), at('box.wires'));
  let rack: ChildProcess;

  const startRack = async (): Promise<ChildProcess> => {
    rmSync(at('rack.sock'), { force: true });
    const started = spawn(process.execPath, [program, at('rack.json')], { stdio: 'ignore' });
    await eventually(() => existsSync(at('rack.sock')), 'the rack');
    return started;
  };
  const openBoard = async (wires: string): Promise<BoxHardware> => {
    const { definition } = await readBoard('simulated');
    const press = { shortMs: 100, longMs: 4_001, restMs: 0 };
    return openWiredBox({ ...definition, press }, simulatedDevices(at(wires), 'test'), Date.now);
  };

  before(async () => {
    writeFileSync(at('idle.mjs'), 'setInterval(() => undefined, 60_000);');
    const box = { name: 'box', wires: at('box.wires'), program: [at('idle.mjs')], log: at('box.log'), processId: at('box.pid') };
    writeFileSync(at('rack.json'), rackFileText({ socket: at('rack.sock'), bootMs: 50, afterMains: 'on', boxes: [box] }));
    rack = await startRack();
    await cut.listen();
  });

  after(() => {
    rack.kill('SIGKILL');
    cut.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('cut at any moment, also while the board is opened or closed', async () => {
    const rounds = fc.asyncProperty(
      fc.array(demand, { maxLength: 12 }),
      fc.nat({ max: 120 }),
      fc.nat({ max: 200 }),
      async (demands, cutMs, closeMs) => {
        const cutting = sleep(cutMs).then(() => cut.now());
        const box = await openBoard('cut.wires').catch((error: unknown) => {
          assert.ok(error instanceof Error && error.message !== '', 'a board that can’t be opened says why');
        });
        const asked = box ? demands.map((ask) => ask(box)) : [];
        await Promise.all([cutting, sleep(closeMs)]);
        await box?.close();
        await Promise.all(asked);
      },
    );
    await fc.assert(rounds, { numRuns: 40 });
  });

  test('a rack that is killed again and again, while its board blinks, beeps and is read', async () => {
    const box = await openBoard('box.wires');
    try {
      for (const sign of ['ready', 'working', 'attention'] as const) {
        await box.signal(sign);
        await box.show([sign]);
        await sleep(Math.random() * 300);
        rack.kill('SIGKILL');
        await once(rack, 'exit');
        await eventually(() => box.powerState() === 'unknown', 'the broken wires');
        await Promise.all([box.signal('attention'), box.show(['still there']), box.power('reset')]);
        await sleep(500); // several blinks into nothing
        assert.deepEqual([...new Set((await later(box)).map(({ quality }) => quality))], ['failed']);
        rack = await startRack();
        await eventually(() => box.powerState() === 'on', 'the power LED');
      }
    } finally {
      await box.close();
    }
  });

  test('a steady sign is shown again once the wires are joined, as it was told last; nothing else is driven', async () => {
    const levels = new Map<number, Level>();
    const end: WiredEnd = {
      ...{ name: 'box', isPowered: true },
      lineLevel: (line) => (line === POWER_LED ? 1 : 0),
      drive: (line, level) => void levels.set(line, level),
      ...{ read: () => undefined, write: () => false },
    };
    const join = (): Promise<BoxWires> => BoxWires.listen(at('signs.wires'), end, () => undefined);
    let wires = await join();
    const box = await openBoard('signs.wires');
    const broken = async (whileBroken: () => Promise<void>): Promise<void> => {
      wires.close();
      await eventually(() => box.powerState() === 'unknown', 'the broken wires');
      levels.clear();
      await whileBroken();
      wires = await join();
      await eventually(() => box.powerState() === 'on' && levels.size === 5, 'the wires');
    };
    try {
      await box.signal('ready');
      const pressing = box.power('reset');
      await eventually(() => levels.get(STATUS_LED) === 1 && levels.get(RESET) === 1, 'the sign and the press');
      await broken(() => Promise.resolve());
      const only = (lit: Level): [number, Level][] => [0, RESET, 2, STATUS_LED, 9].map((line) => [line, line === STATUS_LED ? lit : 0]);
      assert.deepEqual([...levels].toSorted(), only(1));
      await pressing;
      await broken(() => box.signal('none'));
      assert.deepEqual([...levels].toSorted(), only(0));
      await broken(() => box.signal('ready'));
      assert.deepEqual([...levels].toSorted(), only(1));
    } finally {
      await box.close();
      wires.close();
    }
  });

  /** Past the period of the slowest sensor, so that each is read anew. */
  const later = async (box: BoxHardware): ReturnType<BoxHardware['sample']> => {
    await sleep(1_000);
    return box.sample();
  };
});

async function eventually(isTrue: () => boolean, what: string): Promise<void> {
  for (const deadlineMs = performance.now() + JOINED_AGAIN_MS; !isTrue(); await sleep(10))
    if (performance.now() > deadlineMs) throw new Error(`${what} did not come within ${JOINED_AGAIN_MS} ms`);
}
