/** `npm run capsule -- verify` on a receipt of a genuine software TPM, and on what someone has changed (protocol/README.md §9.2). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync, sign as signEd25519 } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { BoxEvidenceMessage, ReportMessage } from '#protocol/box-messages.ts';
import { capsuleIdOf } from '#protocol/capsule.ts';
import { blobDigest, domainDigest } from '#protocol/digest.ts';
import { capsuleDigest, encodeManifest } from '#protocol/manifest.ts';
import { encodeNetwork, networkId } from '#protocol/network.ts';
import { ReceiptMessage, type Measurement } from '#protocol/receipt.ts';
import { signMessage, type Sign } from '#protocol/signed.ts';
import { capsuleInMemory } from '../../../scripts/client/capsule-in-memory.ts';
import { beaconBy, credentialBy, startBench, type Bench } from '../attestation/bench.ts';

const program = new URL('../../../scripts/capsule.ts', import.meta.url).pathname;
const answer = new TextEncoder().encode('42\n');
const box = generateKeyPairSync('ed25519');
const signAsBox: Sign = (input) => Uint8Array.from(signEd25519(null, input, box.privateKey));

let bench: Bench;
let folder: string;
let receipt: Uint8Array;

before(async () => {
  bench = await startBench();
  folder = await mkdtemp(join(tmpdir(), 'capstan-verify-'));
  receipt = await honestReceipt();
  await mkdir(join(folder, '.capstan'));
  await writeFile(join(folder, '.capstan/network.cbor'), encodeNetwork(bench.network));
  await mkdir(join(folder, 'result/outputs'), { recursive: true });
  await restore();
});
after(async () => {
  await bench.stop();
  await rm(folder, { recursive: true });
});

async function restore(): Promise<void> {
  await writeFile(join(folder, 'result/receipt.cbor'), receipt);
  await writeFile(join(folder, 'result/outputs/answer.txt'), answer);
}

async function honestReceipt(): Promise<Uint8Array> {
  const [alpha, bravo, charlie] = bench.devices;
  const network = networkId(bench.network);
  const atMs = Date.now();
  const manifest = encodeManifest(
    capsuleInMemory({ capsule: 1, name: 'answer', runtime: 'node', entry: 'main.js' }, { 'main.js': answer }, atMs).manifest,
  );
  const request = new Uint8Array(16).fill(5);
  const parties = { network, device: 'alpha', client: 'demo' };
  const capsule = capsuleIdOf({ ...parties, request, capsule: capsuleDigest(manifest) });
  const run = { network, device: 'alpha', box: 'alpha-box', run: `${capsule}.1` };
  const software = {
    agent: network,
    kernel: 'test',
    commandLine: network,
    packages: network,
    bootId: 'boot',
    runtimes: [{ name: 'node', version: 'test', digest: network }],
    isolation: [],
  };
  const measured = (seed: number): Measurement => {
    const nonce = new Uint8Array(32).fill(seed);
    const evidence = { ...run, beacon: domainDigest('beacon-value', network, nonce), software, madeAtMs: atMs };
    return { nonce, issuedAtMs: atMs, evidence: signMessage(BoxEvidenceMessage, evidence, signAsBox) };
  };
  const nothing = { digest: blobDigest(new Uint8Array()), bytes: 0 };
  const report = signMessage(
    ReportMessage,
    {
      ...{
        ...run,
        capsule: capsuleDigest(manifest),
        outcome: { outcome: 'exited', status: 0 },
        startedAtMs: atMs,
        endedAtMs: atMs,
        stdout: nothing,
        stderr: nothing,
      },
      ...{
        usage: { wallMs: 1_500, cpuMs: 1_000, memoryBytesMax: 1_048_576 },
        outputs: [{ path: 'answer.txt', digest: blobDigest(answer), bytes: answer.length }],
      },
    },
    signAsBox,
  );
  const beacon = await beaconBy(bravo.identity, bench.network, atMs);
  const credentials = await Promise.all([bravo, charlie].map(({ identity }) => credentialBy(identity, alpha.identity, bench.network)));
  const deviceEvidence = await alpha.identity.makeEvidence({ network, beacon: beacon.envelope, beaconValue: beacon.value, credentials });
  const key = Uint8Array.from(box.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  return signMessage(
    ReceiptMessage,
    {
      ...{ version: 1, ...parties, node: alpha.identity.node, tpm: 'software-tpm', request, capsule, manifest, attempt: 1 },
      gateway: { node: alpha.identity.node, device: parties.device },
      ...{ box: { name: 'alpha-box', key, trust: 'self-reported' }, acceptedAtMs: atMs, endedAtMs: atMs, state: 'agreed' },
      ...{ measuredBefore: measured(6), measuredAfter: measured(7), report, deviceEvidence },
    },
    (input) => alpha.identity.sign(input),
  );
}

function verify(...options: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, 'verify', 'result', ...options], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1' },
    });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (out.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()));
    child.once('close', (status) => resolve({ status, ...out }));
  });
}

test('an honest receipt holds: a tick for each step, what ran, and a loud word about the software TPM (§9.2)', async () => {
  const { status, stdout, stderr } = await verify();
  assert.equal(status, 0, stdout + stderr);
  for (const rule of ['network', 'quote', 'receipt signature', 'box evidence', 'report', 'end'])
    assert.match(stdout, new RegExp(`^✓ ${rule} `, 'm'));
  assert.match(stdout, /^✓ output +outputs\/answer\.txt, 3 bytes, as in the receipt$/m);
  assert.match(stdout, /!! {2}SOFTWARE TPM {2}!!/);
  assert.match(stdout, /ran +node test main\.js/);
  assert.match(stdout, /the receipt holds, and the outputs are what it says\n$/);
});

test('a receipt with any changed byte is refused with its reason (§9.2)', async () => {
  for (const share of [0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999]) {
    const changed = Uint8Array.from(receipt);
    const at = Math.floor(share * changed.length);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await writeFile(join(folder, 'result/receipt.cbor'), changed);
    const { status, stdout } = await verify();
    assert.equal(status, 1, `byte ${at}: ${stdout}`);
    assert.match(stdout, /^✗ [a-z-]+ /m);
    assert.match(stdout, /the receipt does not hold \([a-z-]+\): /);
  }
  await restore();
});

test('a changed, longer, absent or replaced output is named, and one that the receipt does not list is pointed out (§9.2)', async () => {
  const path = join(folder, 'result/outputs/answer.txt');
  for (const content of ['43\n', '42\n\n', '']) {
    await writeFile(path, content);
    const { status, stdout } = await verify();
    assert.equal(status, 1);
    assert.match(stdout, /these files are not what it says: outputs\/answer\.txt \(changed\)/);
  }
  await rename(path, join(folder, 'result/outputs/other.txt'));
  const { status, stdout } = await verify();
  assert.equal(status, 1);
  assert.match(stdout, /outputs\/answer\.txt \(absent\)/);
  assert.match(stdout, /^! output +outputs\/other\.txt is in the folder; the receipt says nothing about it$/m);
  await rm(join(folder, 'result/outputs/other.txt'));
  await restore();
});

test('a receipt of another network is refused, and programs get the reason in JSON (§9.2)', async () => {
  const { genesis } = bench.network;
  await writeFile(join(folder, 'other.cbor'), encodeNetwork({ ...bench.network, genesis: { ...genesis, salt: new Uint8Array(16) } }));
  const { status, stdout } = await verify('--network', 'other.cbor', '--json');
  assert.equal(status, 1);
  const { holds, reason } = JSON.parse(stdout) as { holds: boolean; reason: string };
  assert.deepEqual({ holds, reason }, { holds: false, reason: 'foreign-network' });
});

test('without outputs at hand the receipt holds, and that nothing was compared is said (§9.2)', async () => {
  await rename(join(folder, 'result/outputs'), join(folder, 'moved'));
  const { status, stdout } = await verify();
  assert.equal(status, 0);
  assert.match(stdout, /not at hand, not compared; --outputs names their folder/);
  const compared = await verify('--outputs', 'moved');
  assert.match(compared.stdout, /the outputs are what it says/);
  await rename(join(folder, 'moved'), join(folder, 'result/outputs'));
});
