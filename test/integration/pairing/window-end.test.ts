/** How a window ends by itself: at its time, with its device on or off. Specification §5.6. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from '../../../device/mqtt/connection.ts';
import { WindowFolder } from '../../../device/pairing/window-folder.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { pairHolder } from '../../../hpc-agent/pairing.ts';
import { PairingFailed } from '../../../hpc-agent/prover-talk.ts';
import { openFor, openStranger, prepareDevice, startPairingDevice, until, type PairingDevice } from './pairing-bench.ts';

/** Long enough for a talk on a busy machine, short enough to be waited for. */
const windowMs = 4_000;

describe('a window of some seconds (§5.6)', () => {
  let state: string;
  let folder: string;
  let tpm: SoftwareTpm;
  let device: PairingDevice;
  const start = (): Promise<PairingDevice> => startPairingDevice(folder, tpm.tcti, undefined, { windowMs });

  before(async () => {
    ({ state, device: folder } = await prepareDevice());
    tpm = await startSoftwareTpm({ folder: join(state, 'tpm') });
    device = await start();
  });
  after(async () => {
    await device.stop();
    await tpm.stop();
    rmSync(state, { recursive: true, force: true });
  });

  test('ends with its time: a talk that has begun gets no answer to its share, its code is dead, the listener goes with the last', async () => {
    const window = await openFor(folder, 'box', 'slow');
    const stranger = await openStranger(window.at.url);
    await stranger.send({ call: 'greet', version: 1, kind: 'box', name: 'slow', nonce: new Uint8Array(32) });
    await new Promise((resolve) => setTimeout(resolve, windowMs / 2));
    const later = await openFor(folder, 'box', 'later');
    await until(() => window.news().window === 'closed', 'the window is over', 2 * windowMs);
    assert.deepEqual(window.news(), { window: 'closed', reason: 'expired', attempts: 0 });
    const late = await stranger.guess('box', 'slow').finally(() => stranger.connection.close());
    assert.deepEqual(late, { answer: 'refused', reason: 'closed', detail: late.answer === 'refused' ? late.detail : '' });
    assert.equal(device.log.filter(({ event }) => event === 'pairingAttempt').length, 0);
    await until(() => later.news().window === 'closed', 'the other one is over', 2 * windowMs);
    await until(() => device.log.some(({ event }) => event === 'pairingClosed'), 'the listener is closed');
    assert.deepEqual(device.shown.at(-1), []);
    const tooLate = pairHolder({ address: window.at, code: window.code, folder: join(state, 'slow') }, connect);
    await assert.rejects(
      tooLate,
      (error) => error instanceof PairingFailed && error.code === 'no-answer' && error.message.includes('npm run pair -- open'),
    );
  });

  test('ends while its device is off, and is not open when it comes back', async () => {
    const window = await openFor(folder, 'client', 'asleep');
    await device.stop();
    assert.equal(new WindowFolder(folder).windows().length, 1);
    await new Promise((resolve) => setTimeout(resolve, windowMs));
    device = await start();
    await until(() => window.news().window === 'closed', 'the window is over');
    assert.deepEqual(window.news(), { window: 'closed', reason: 'expired', attempts: 0 });
    assert.deepEqual(new WindowFolder(folder).windows(), []);
  });

  test('is shown on until then, also when its device has been started anew, which does not know the code any more', async () => {
    const window = await openFor(folder, 'box', 'kept');
    await device.stop();
    device = await start();
    assert.equal(window.news().window, 'open');
    assert.deepEqual(device.shown, [[]]);
    const { name } = await pairHolder({ address: window.at, code: window.code, folder: join(state, 'kept') }, connect);
    assert.equal(name, 'kept');
  });
});
