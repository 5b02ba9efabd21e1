/** The calls of the addon on files of the kernel: how they refuse, and that readiness is said. Real lines are in test/hardware. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadAddon } from '../../device/addon.ts';
import { openChip } from '../../device/board/gpio.ts';
import { I2cBus } from '../../device/board/i2c.ts';

const { kernel } = loadAddon();

test('a file that is no GPIO chip and no I2C bus is refused by the kernel, with its reason (§16.2)', async () => {
  const file = openSync('/dev/null', 'r+');
  try {
    for (const call of [() => kernel.gpioChip(file), () => kernel.gpioLine(file, 0), () => kernel.gpioRequest(file, 0, 4, 0, 0)])
      assert.throws(call, { code: 'ENOTTY' });
    assert.throws(() => kernel.gpioRead(9_999), { code: 'EBADF', syscall: 'gpio read' });
    await assert.rejects(kernel.smbusTransfer(file, 0x40, 0, 2), { code: 'ENOTTY', syscall: 'i2c address' });
  } finally {
    closeSync(file);
  }
});

test('arguments that no bus has are refused before the kernel is asked (§16.3)', () => {
  const wrong: readonly (readonly [number, number, number | Uint8Array])[] = [
    [0x02, 0, 1],
    [0x78, 0, 1],
    [0x40, 256, 1],
    [0x40, -2, 1],
    [0x40, 0, 0],
    [0x40, 0, 33],
    [0x40, -1, 2],
    [0x40, 0, new Uint8Array(0)],
  ];
  for (const [address, register, what] of wrong)
    assert.throws(() => void kernel.smbusTransfer(0, address, register, what), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => kernel.gpioRequest(0, 1.5, 0, 0, 0), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => kernel.gpioRequest(0, -1, 0, 0, 0), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('a watch says that a file can be read, and nothing after it was ended (§16.2)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-watch-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const file = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const said: (Error | undefined)[] = [];
    const first = Promise.withResolvers<undefined>();
    const stop = kernel.watchReadable(file, (problem) => {
      said.push(problem);
      readSync(file, new Uint8Array(8));
      first.resolve(undefined);
    });
    writeSync(file, 'x');
    await first.promise;
    stop();
    stop();
    writeSync(file, 'x');
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(said, [undefined]);
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
});

test('a chip or a bus that is not there is an error that says what is (§16.2)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-dev-'));
  assert.throws(() => openChip('pinctrl-bcm2711', folder), /there is no GPIO chip: .*gpiochip\* is empty/);
  rmSync(folder, { recursive: true });
  assert.throws(() => I2cBus.open(97), /there is no \/dev\/i2c-97; .*dtparam=i2c_arm=on/);
});
