/** SMBus transfers on the kernel's i2c-stub, which keeps what is written. Specification §16.3. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { I2cBus } from '../../device/board/i2c.ts';

const bus = I2cBus.open(0);
after(() => bus.close());

test('bytes, words and blocks come back as they were written (§16.3)', async () => {
  for (const [register, bytes] of [
    [0x10, [0xa5]],
    [0x11, [0x12, 0x34]],
    [0x20, Array.from({ length: 32 }, (_, index) => index)],
  ] as const) {
    await bus.write(0x40, register, Uint8Array.from(bytes));
    assert.deepEqual([...(await bus.read(0x40, register, bytes.length))], [...bytes]);
  }
  await bus.write(0x27, -1, Uint8Array.of(0x10)); // a device without registers: i2c-stub takes the byte for its pointer
  assert.equal((await bus.read(0x27, -1, 1)).length, 1);
});

test('transfers to several devices, asked for at once, do not mix up their addresses (§16.3)', async () => {
  const devices = [0x27, 0x40, 0x48];
  await Promise.all(devices.map((address) => bus.write(address, 1, Uint8Array.of(address, address))));
  const read = await Promise.all(Array.from({ length: 60 }, (_, index) => bus.read(devices[index % 3] ?? 0, 1, 2)));
  assert.deepEqual(
    read.map(([first]) => first),
    Array.from({ length: 60 }, (_, index) => devices[index % 3]),
  );
});

test('a device that is not there and one that the kernel drives are errors with a code (§16.3)', async () => {
  await assert.rejects(bus.read(0x50, 0, 1), { code: 'ENODEV' });
  await assert.rejects(bus.read(0x41, 0, 2), { code: 'EBUSY' });
  assert.equal((await bus.read(0x48, 1, 2)).length, 2); // the bus goes on
});
