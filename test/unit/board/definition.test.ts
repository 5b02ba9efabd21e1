/** board.yaml: every board that ships is right, and each way to be wrong is named by file, line and key. Specification §16.1. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BoardFileError, listBoards, readBoard } from '../../../device/board/board-file.ts';
import { placedLines } from '../../../device/board/board-io.ts';
import { sensorDefinitions } from '../../../device/board/sensor-definitions.ts';

const shipped = fileURLToPath(new URL('../../../board-configs/', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'capstan-boards-'));
after(() => rm(folder, { recursive: true, force: true }));

const right = `board: mine
title: A board
description: For a test.
gpio: { chip: pinctrl-bcm2711, reserved: [2, 3] }
i2c: { bus: 1 }
lines:
  powerButton: { line: 23 }
  powerLed: { line: 17, activeLow: true, bias: pull-up }
sensors:
  - { name: box, chip: ina226, address: 0x40, shuntMicroOhm: 2000, maxCurrentMa: 40000, periodMs: 100 }
`;

async function refusalOf(text: string, wiring?: string): Promise<string> {
  await mkdir(join(folder, 'mine'), { recursive: true });
  await mkdir(join(folder, 'wiring'), { recursive: true });
  await writeFile(join(folder, 'mine', 'board.yaml'), text);
  if (wiring !== undefined) await writeFile(join(folder, 'wiring', 'shared.yaml'), wiring);
  try {
    await readBoard('mine', folder);
  } catch (error) {
    assert.ok(error instanceof BoardFileError, String(error));
    return error.message;
  }
  return '';
}

test('every board that ships is right, has its line requests and its sensors, and says in its README how it was tried (§16.1)', async () => {
  const boards = await listBoards();
  assert.ok(boards.length >= 11);
  for (const board of boards) {
    const { definition } = await readBoard(board);
    assert.ok(placedLines(definition).length >= 4, board);
    const names = sensorDefinitions(definition).map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.match(await readFile(join(shipped, board, 'README.md'), 'utf8'), /[Tt]ried/);
  }
});

test('the wiring table that people solder by has the lines of the wiring file (§16.1)', async () => {
  const { definition } = await readBoard('raspberry-pi-4-slb9670');
  const written = await readFile(join(shipped, 'wiring', 'atx-header.md'), 'utf8');
  const rows = [...written.matchAll(/^\| `([\w[\]]+)`\s*\| (\d+)\s*\|/gm)].map(([, role, line]) => [role, Number(line)]);
  assert.deepEqual(Object.fromEntries(rows), Object.fromEntries(placedLines(definition).map(({ role, offset }) => [role, offset])));
});

test('a board without a mistake is read, and its digest is that of its file, or of both files (§16.1)', async () => {
  assert.equal(await refusalOf(right), '');
  const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return new Uint8Array(hash.digest());
  };
  assert.deepEqual((await readBoard('mine', folder)).digest, sha256(Buffer.from(right)));
  const files = ['raspberry-pi-4-slb9670/board.yaml', 'wiring/atx-header.yaml'];
  const [board, wiring] = await Promise.all(files.map((file) => readFile(join(shipped, file))));
  assert.deepEqual((await readBoard('raspberry-pi-4-slb9670')).digest, sha256(sha256(board!), sha256(wiring!)));
});

const mistakes: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a key that there isn’t',
    'powerLed: {',
    'powerLad: {',
    /board\.yaml, line 8: lines has an unknown field "powerLad"; known are .*powerLed/,
  ],
  ['a line that is no number', 'line: 23', 'line: GPIO23', /line 7: lines\.powerButton\.line is "GPIO23"; it must be a whole number/],
  [
    'one line for two things',
    'line: 23',
    'line: 17',
    /line 8: lines\.powerLed\.line is 17, like lines\.powerButton\.line; what senses can never be driven/,
  ],
  ['a line that a bus has', 'line: 23', 'line: 3', /lines\.powerButton\.line is 3, which gpio\.reserved keeps/],
  [
    'a button whose effect nobody sees',
    '  powerLed: { line: 17, activeLow: true, bias: pull-up }\n',
    '',
    /lines\.powerButton needs lines\.powerLed/,
  ],
  [
    'an address that the chip can’t have',
    '0x40',
    '0x27',
    /sensors\[0\]\.address is 0x27, which a ina226 can't have; its pins choose 0x40 to 0x4f/,
  ],
  [
    'a shunt that is too large',
    'maxCurrentMa: 40000',
    'maxCurrentMa: 50000',
    /maxCurrentMa is 50000: 100000 µV over 2000 µΩ.*at most 40960 mA/,
  ],
  ['a bus that is not named', 'i2c: { bus: 1 }\n', '', /sensors\[0\]\.address is on no bus/],
  ['a board in another’s folder', 'board: mine', 'board: yours', /line 1: board is "yours"; it must be the name of the folder, "mine"/],
  ['text that is no YAML', 'lines:', 'lines: [', /this is not YAML/],
  [
    'lengths the wrong way round',
    'lines:',
    'press: { shortMs: 4000, longMs: 5500, restMs: 1000 }\nlines:',
    /press\.shortMs is 4000; 4000 ms switch off/,
  ],
  [
    'a long press that is short',
    'lines:',
    'press: { shortMs: 500, longMs: 3000, restMs: 1000 }\nlines:',
    /press\.longMs is 3000; a mainboard switches off after 4000 ms/,
  ],
  [
    'limits the wrong way round',
    'periodMs: 100 }',
    'periodMs: 100, limits: { minMv: 13000, maxMv: 11000 } }',
    /limits\.minMv is 13000; it must be below maxMv, which is 11000/,
  ],
  [
    'one name for two powers',
    'sensors:\n',
    'sensors:\n  - { name: box, chip: ina260, address: 0x41, periodMs: 100 }\n',
    /sensors\[1\]\.name is "box", like sensors\[0\]\.name, and both give the power/,
  ],
  [
    'one address for two chips',
    'sensors:\n',
    'sensors:\n  - { name: other, chip: ina260, address: 0x40, periodMs: 100 }\n',
    /sensors\[1\]\.address is 0x40, like sensors\[0\]\.address/,
  ],
  ['a wiring that there isn’t', 'lines:', 'wiring: nowhere\nlines:', /wiring is "nowhere", and board-configs\/wiring\/ has no such file/],
];

for (const [what, from, to, message] of mistakes) {
  test(`${what} is named by file, line and key (§16.1)`, async () => {
    assert.ok(right.includes(from));
    assert.match(await refusalOf(right.replace(from, to)), message);
  });
}

test('a mistake in the wiring is told of the file where it stands, and a key stands in one of the two (§16.1)', async () => {
  const shared = `wiring: shared\ndescription: For a test.\nlines:\n  powerButton: { line: 23 }\n  powerLed: { line: 23 }\n`;
  const base = right.slice(0, right.indexOf('lines:')).concat('wiring: shared\n');
  assert.match(await refusalOf(base, shared), /^board-configs\/wiring\/shared\.yaml, line 5: lines\.powerLed\.line is 23, like/);
  assert.match(
    await refusalOf(`${base}lines: { powerLed: { line: 4 } }\n`, shared),
    /board-configs\/mine\/board\.yaml, line 7: lines stands in board-configs\/wiring\/shared\.yaml as well/,
  );
});

test('a board that there isn’t is an error that names those there are (§16.1)', async () => {
  await assert.rejects(readBoard('nowhere', folder), /there is no board "nowhere" in board-configs\/; there are mine/);
});
