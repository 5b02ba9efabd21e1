/** A program that is kept running on a full disk: /dev/full answers each write with ENOSPC, as such a disk does. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { logFile } from '../../../scripts/grid/log-file.ts';
import { supervise } from '../../../scripts/grid/supervisor.ts';

const UP_MS = 10_000;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-full-disk-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a full disk ends nothing that is kept running', () => {
  it('a program is started once, heard and stopped, though neither its log nor its process id can be written', async () => {
    const program = join(folder, 'program.mjs');
    writeFileSync(program, 'for (let n = 0; n < 100; n += 1) console.log(`line ${n}`); setInterval(() => undefined, 1000);');
    const processIdFile = join(folder, 'program.pid');
    symlinkSync('/dev/full', processIdFile);
    const ends: string[] = [];
    const supervisor = supervise({
      ...{ name: 'program', arguments: [program], logFile: '/dev/full', processIdFile },
      onEnd: (_name, how) => void ends.push(how),
    });
    await supervisor.waitForLine('line 99', UP_MS);
    assert.ok(supervisor.processId !== undefined);
    await supervisor.stop();
    assert.deepEqual(ends, []);
  });

  it('a log says how much of it was lost, once it can be written again', () => {
    const file = join(folder, 'log');
    const write = logFile(file);
    symlinkSync('/dev/full', file);
    write('lost\n');
    write('lost too\n');
    rmSync(file);
    appendFileSync(file, 'before\n');
    write('after\n');
    write('and on\n');
    assert.match(
      readFileSync(file, 'utf8'),
      /^before\n\n\(up to 14 bytes of this log could not be written: ENOSPC: no space left on device, write\)\nafter\nand on\n$/,
    );
  });
});
