/** Five attempts are five, whatever becomes of the device: kill -9, a restored disk, both. Counted in the TPM. Specification §5.6. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AttemptCounter } from '../../../device/pairing/attempt-counter.ts';
import { WindowFolder } from '../../../device/pairing/window-folder.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { openTpm } from '../../../device/tpm/tpm.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { pairHolder } from '../../../hpc-agent/pairing.ts';
import { PairingFailed } from '../../../hpc-agent/prover-talk.ts';
import { openFor, openStranger, prepareDevice, until } from './pairing-bench.ts';

const program = fileURLToPath(new URL('pairing-device.ts', import.meta.url));
let state: string;
let device: string;
let tpm: SoftwareTpm;
const running = new Set<ChildProcess>();

before(async () => {
  ({ state, device } = await prepareDevice());
  tpm = await startSoftwareTpm({ folder: join(state, 'tpm') });
});
after(async () => {
  await Promise.all([...running].map(killHard));
  await tpm.stop();
  rmSync(state, { recursive: true, force: true });
});

async function startDevice(): Promise<{ child: ChildProcess; said: () => string }> {
  const child = spawn(process.execPath, [program, device, tpm.tcti], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until(() => said.includes('ready'), 'the device is up', 20_000);
  return { child, said: () => said };
}

async function killHard(child: ChildProcess): Promise<void> {
  if (!running.delete(child) || child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** One attempt by a stranger who guesses. */
async function guess(url: string, name: string): Promise<string> {
  const stranger = await openStranger(url);
  const answer = await stranger.guess('box', name);
  await stranger.connection.close();
  return answer.answer === 'refused' ? answer.reason : answer.answer;
}

test('attempts before a kill -9 and a restored state folder count after it; the fifth closes the window for good (§5.6)', async () => {
  const first = await startDevice();
  const window = await openFor(device, 'box', 'target');
  const saved = join(state, 'saved');
  cpSync(device, saved, { recursive: true });
  assert.deepEqual([await guess(window.at.url, 'target'), await guess(window.at.url, 'target')], ['share', 'share']);
  await killHard(first.child);

  const second = await startDevice();
  assert.equal(new WindowFolder(device).windows().length, 1, 'the window survives its device');
  assert.equal(await guess(window.at.url, 'target'), 'share');
  await killHard(second.child);

  rmSync(device, { recursive: true });
  cpSync(saved, device, { recursive: true });
  const third = await startDevice();
  assert.deepEqual([await guess(window.at.url, 'target'), await guess(window.at.url, 'target')], ['share', 'share']);
  assert.equal(await guess(window.at.url, 'target'), 'closed');
  await killHard(third.child);

  rmSync(device, { recursive: true });
  cpSync(saved, device, { recursive: true });
  await startDevice();
  await until(() => new WindowFolder(device).windows().length === 0, 'a window whose attempts are spent does not open again');
});

test('an attempt is in the TPM before its answer is sent (§5.6)', async () => {
  const window = await openFor(device, 'box', 'ordered');
  const [open] = new WindowFolder(device).windows();
  assert.ok(open);
  assert.equal(await guess(window.at.url, 'ordered'), 'share');
  for (const child of running) await killHard(child);
  const chip = await openTpm(tpm.tcti);
  assert.equal((await AttemptCounter.open((operation) => operation(chip))).attemptsIn(open.id), 1);
  await chip.close();
});

test('a device that is killed in the middle of a talk pairs at the next try, with the same code (§5.6)', async () => {
  const { child, said } = await startDevice();
  const window = await openFor(device, 'box', 'steadfast');
  const folder = join(state, 'steadfast');
  const invitation = { address: window.at, code: window.code, folder };
  const cutOff = pairHolder(invitation, (address, options) => {
    const connection = connect(address, options);
    return {
      ...connection,
      subscribe: (filter, handler) => connection.subscribe(filter, handler),
      publish: (topic, payload, how) => {
        if (said().includes('pairingAttempt')) child.kill('SIGKILL');
        return connection.publish(topic, payload, how);
      },
    };
  });
  await assert.rejects(cutOff, (error) => error instanceof PairingFailed && ['no-answer', 'interrupted'].includes(error.code));
  running.delete(child);
  await startDevice();
  const paired = await pairHolder(invitation, connect);
  assert.equal(paired.name, 'steadfast');
  await until(() => window.news().window === 'used', 'the owner is told');
});
