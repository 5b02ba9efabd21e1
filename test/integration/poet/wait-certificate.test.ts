/**
 * Wait certificates of a software TPM, and what its owner can do about them: set the clock, speed it up, cut the power, suspend,
 * clear, copy. threats.md, "Consensus": early, reused and foreign wait certificates, start and end in the other order, waits that
 * overlap; "TPM evidence": Clock set forward, rate +20 %, cloned state, TPM2_Clear, primary attestation key. Specification §12.3.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { encodeHeader, type Header, type TimeCertificate } from '#protocol/chain/block.ts';
import { decodeVoucher, judgeVoucher } from '#protocol/chain/voucher.ts';
import {
  endQualifier,
  judgeTimeCertificate,
  judgeWait,
  lowS,
  startQualifier,
  type ChipTime,
  type Wait,
} from '#protocol/chain/wait-certificate.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { Attest } from '#protocol/tpm/attest.ts';
import { judgeAttestationKey, type AttestationKey } from '#protocol/tpm/attestation-key.ts';
import { judgeEndorsementKey } from '#protocol/tpm/endorsement-key.ts';
import { attestationKeyTemplate, endorsementKeyTemplate } from '#protocol/tpm/templates.ts';
import { fixedSignature } from '../../../device/identity/fixed-signature.ts';
import { openIdentity, type Identity } from '../../../device/identity/identity.ts';
import { getTime } from '../../../device/tpm/attestation.ts';
import { readClock } from '../../../device/tpm/clock.ts';
import { hierarchies, type PersistentHandle } from '../../../device/tpm/handle.ts';
import { clearTpm } from '../../../device/tpm/hierarchy.ts';
import { createKey, createPrimaryKey, persistKey } from '../../../device/tpm/keys.ts';
import { emptyPassword, unauthorized } from '../../../device/tpm/session.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { crypto, measurements } from '../attestation/bench.ts';

interface Device {
  readonly folder: string;
  tpm: SoftwareTpm;
  identity: Identity;
}

const network = new Uint8Array(32).fill(1);
const parent = new Uint8Array(32).fill(2);

let folder: string;
let alpha: Device;
let bravo: Device;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-poet-'));
  alpha = await start('alpha');
  bravo = await start('bravo');
});
after(async () => {
  for (const device of [alpha, bravo]) await stop(device);
  await rm(folder, { recursive: true, force: true });
});

async function start(name: string): Promise<Device> {
  const own = join(folder, name);
  const tpm = await startSoftwareTpm({ folder: join(own, 'tpm'), authorityFolder: join(folder, 'authority') });
  return { folder: own, tpm, identity: await openIdentity({ tcti: tpm.tcti, folder: join(own, 'state'), measurements, crypto }) };
}

async function stop({ identity, tpm }: Device): Promise<void> {
  await identity.close().catch(() => undefined);
  await tpm.kill();
}

async function powerCycle(device: Device): Promise<void> {
  await stop(device);
  Object.assign(device, await start(device.folder.slice(folder.length + 1)));
}

/** As a verifier has it from the member's card. */
function keyOf({ keys }: Identity, publicArea = keys.attestationKey.publicArea): AttestationKey {
  const endorsement = judgeEndorsementKey(crypto, keys.endorsementKey.publicArea);
  assert.ok(endorsement.status === 'accepted');
  const verdict = judgeAttestationKey(crypto, publicArea, endorsement.key);
  assert.ok(verdict.status === 'accepted');
  return verdict.key;
}

function headerWith(identity: Identity, startCertificate: TimeCertificate, changes: Partial<Header> = {}): Uint8Array {
  const empty = new Uint8Array(32);
  const body = { version: 1, network, height: 7, parent, node: identity.node, timeMs: 1_000 } as const;
  return encodeHeader({ ...body, draw: new Uint8Array(256), start: startCertificate, transactions: empty, state: empty, ...changes });
}

/** What a member does for a block: start, something in between, end. */
async function waitOf(
  identity: Identity,
  meanwhile: () => Promise<unknown> = () => sleep(60),
  ender: () => Identity = () => identity,
): Promise<Wait> {
  const subject = { network, parent, node: identity.node, height: 7 };
  const startCertificate = await identity.certifyTime(startQualifier(subject));
  await meanwhile();
  const headerBytes = headerWith(identity, startCertificate);
  const end = await ender().certifyTime(endQualifier(headerBytes));
  return { ...subject, start: startCertificate, end, headerBytes, waitMs: 50 };
}

function outcome(wait: Wait, key = keyOf(alpha.identity)): string {
  const verdict = judgeWait(crypto, key, wait);
  return verdict.status === 'accepted' ? 'accepted' : verdict.reason;
}

function acceptedEnd(wait: Wait): ChipTime {
  const verdict = judgeWait(crypto, keyOf(alpha.identity), wait);
  assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
  return verdict.end;
}

/** What the TPM signed, read and written again with something else in it. */
function rewritten(
  { attestation }: TimeCertificate,
  change: (body: Extract<Attest['body'], { kind: 'time' }>) => Attest['body'],
): Uint8Array {
  const decoded = Attest.decode(attestation);
  assert.ok(decoded.status === 'decoded' && decoded.value.body.kind === 'time');
  return Attest.encode({ ...decoded.value, body: change(decoded.value.body) });
}

test('the two certificates of a TPM that waited are accepted, in a browser too, and the next wait follows (§12.3)', async () => {
  const first = await waitOf(alpha.identity);
  const verdict = judgeWait(crypto, keyOf(alpha.identity), first);
  assert.ok(verdict.status === 'accepted' && verdict.elapsedMs >= 50 && verdict.elapsedMs < 60_000);
  assert.deepEqual(judgeWait(nobleCrypto, keyOf(alpha.identity), first), verdict);
  const second = await waitOf(alpha.identity);
  assert.equal(outcome({ ...second, lastEnd: verdict.end }), 'accepted');
});

test('every certificate of a chip has s in the lower half, whichever it made (§11.1)', async () => {
  for (let round = 0; round < 12; round += 1) {
    const qualifier = endQualifier(Uint8Array.of(round));
    const certificate = await alpha.identity.certifyTime(qualifier);
    assert.equal(judgeTimeCertificate(crypto, keyOf(alpha.identity), certificate, qualifier).status, 'accepted');
  }
});

test('a bit changed anywhere in either certificate is refused (§12.3)', async () => {
  const wait = await waitOf(alpha.identity);
  for (const which of ['start', 'end'] as const) {
    const { attestation, signature } = wait[which];
    for (let at = 0; at < attestation.length; at += 1) {
      const changed = { ...wait, [which]: { attestation: attestation.with(at, attestation[at]! ^ 4), signature } };
      assert.match(outcome(changed), new RegExp(`^${which}-(signature-wrong|not-tpm-generated|other-kind|malformed)$`), `byte ${at}`);
    }
    for (let at = 0; at < 64; at += 1) {
      const changed = { ...wait, [which]: { attestation, signature: signature.with(at, signature[at]! ^ 4) } };
      assert.equal(outcome(changed), `${which}-signature-wrong`);
    }
  }
});

test('a field that its owner writes into a certificate after the chip signed it is refused (§12.3)', async () => {
  const wait = await waitOf(alpha.identity);
  const { timeInfo, firmwareVersion } = attestedBy(wait.end);
  const later = { time: timeInfo.time + 60_000n };
  const boot = { clockInfo: { ...timeInfo.clockInfo, resetCount: timeInfo.clockInfo.resetCount + 1 } };
  for (const change of [later, boot]) {
    const attestation = rewritten(wait.end, (body) => ({ ...body, attested: { firmwareVersion, timeInfo: { ...timeInfo, ...change } } }));
    assert.equal(outcome({ ...wait, end: { ...wait.end, attestation } }), 'end-signature-wrong');
  }
});

test('an end before the drawn wait is over is refused, however short the lack (§12.3)', async () => {
  const wait = await waitOf(alpha.identity);
  const verdict = judgeWait(crypto, keyOf(alpha.identity), wait);
  assert.ok(verdict.status === 'accepted');
  assert.equal(outcome({ ...wait, waitMs: verdict.elapsedMs }), 'accepted');
  assert.equal(outcome({ ...wait, waitMs: verdict.elapsedMs + 1 }), 'too-early');
});

test('certificates reused for another parent, height, network or member are refused (§12.3)', async () => {
  const wait = await waitOf(alpha.identity);
  const foreign: Partial<Wait>[] = [{ parent: network }, { height: 8 }, { network: parent }, { node: bravo.identity.node }];
  for (const changes of foreign) assert.equal(outcome({ ...wait, ...changes }), 'start-other-qualifying-data');
  const other = headerWith(alpha.identity, wait.start, { transactions: parent });
  assert.equal(outcome({ ...wait, headerBytes: other }), 'end-other-qualifying-data');
});

test('the wait of another member’s chip is refused (§12.3)', async () => {
  const wait = await waitOf(alpha.identity);
  const start = await bravo.identity.certifyTime(startQualifier(wait));
  assert.equal(outcome({ ...wait, start }), 'start-signature-wrong');
  assert.equal(outcome(wait, keyOf(bravo.identity)), 'start-signature-wrong');
});

test('an end made before its start is about another header, for the start stands in it (§12.3)', async () => {
  const { identity } = alpha;
  const subject = { network, parent, node: identity.node, height: 7 };
  const anyStart = await identity.certifyTime(startQualifier({ ...subject, height: 6 }));
  const end = await identity.certifyTime(endQualifier(headerWith(identity, anyStart)));
  await sleep(20);
  const start = await identity.certifyTime(startQualifier(subject));
  const wait: Wait = { ...subject, start, end, headerBytes: headerWith(identity, start), waitMs: 0 };
  assert.equal(outcome(wait), 'end-other-qualifying-data');
  assert.equal(outcome({ ...wait, headerBytes: headerWith(identity, anyStart) }), 'ends-before-start');
});

test('Clock set forward by its owner is ignored: Time is what counts (§12.3)', async () => {
  const { identity } = alpha;
  const { clockInfo } = await identity.ask((tpm) => readClock(tpm));
  const forward = () =>
    identity.ask((tpm) => tpm.exclusive(({ esys }) => esys.ClockSet(hierarchies.owner, ...emptyPassword, clockInfo.clock + 86_400_000n)));
  const wait = await waitOf(identity, forward);
  assert.ok(attestedBy(wait.end).timeInfo.clockInfo.clock - attestedBy(wait.start).timeInfo.clockInfo.clock >= 86_000_000n);
  assert.equal(outcome({ ...wait, waitMs: 60_000 }), 'too-early');
});

test('two waits of one member that overlap are refused on one branch (§12.3)', async () => {
  const { identity } = alpha;
  const first = await identity.certifyTime(startQualifier({ network, parent: network, node: identity.node, height: 8 }));
  const lastEnd = acceptedEnd(await waitOf(identity));
  const headerBytes = headerWith(identity, first, { height: 8, parent: network });
  const end = await identity.certifyTime(endQualifier(headerBytes));
  const overlapping: Wait = { network, parent: network, node: identity.node, height: 8, start: first, end, headerBytes, waitMs: 0 };
  assert.equal(outcome(overlapping), 'accepted', 'alone it looks right');
  assert.equal(outcome({ ...overlapping, lastEnd }), 'overlaps-last-block');
});

test('a clock run 20 % fast passes the certificate: what holds such a block until it is due is §12.4', async () => {
  const { identity } = bravo;
  for (let step = 0; step < 25; step += 1) {
    await identity.ask((tpm) => tpm.exclusive(({ esys }) => esys.ClockRateAdjust(hierarchies.owner, ...emptyPassword, coarseFaster)));
  }
  const began = performance.now();
  const wait = await waitOf(identity, () => sleep(1_200));
  const passedMs = performance.now() - began;
  const verdict = judgeWait(crypto, keyOf(identity), { ...wait, waitMs: Math.ceil(passedMs * 1.05) });
  assert.equal(verdict.status, 'accepted', JSON.stringify(verdict));
});

test('a wait dies with the power: what was begun before a reset does not end after it (§12.3)', async () => {
  const { identity } = alpha;
  const lastEnd = acceptedEnd(await waitOf(identity));
  const wait = await waitOf(
    identity,
    () => powerCycle(alpha),
    () => alpha.identity,
  );
  assert.equal(outcome({ ...wait, waitMs: 0 }), 'reset-count-differs');
  assert.equal(outcome({ ...(await waitOf(alpha.identity)), lastEnd }), 'accepted', 'a wait of the later boot');
});

test('a device whose TPM was reset under it certifies nothing more and vouches for no key until it starts anew (§3.3)', async () => {
  const { identity, tpm } = alpha;
  await identity.ask((chip) => chip.exclusive(({ esys }) => esys.Shutdown(...unauthorized, 0)));
  await initialise(tpm);
  await identity.ask((chip) => chip.exclusive(({ esys }) => esys.Startup(0)));
  await assert.rejects(identity.certifyTime(parent), { code: 'ERR_TPM_WAS_RESET' });
  await assert.rejects(identity.makeVoucher(network), { code: 'ERR_TPM_WAS_RESET' });
  await powerCycle(alpha);
});

test('a wait dies with a suspend: TPM Resume adds to the restart count (§12.3)', async () => {
  const { identity, tpm } = alpha;
  const wait = await waitOf(identity, async () => {
    await identity.ask((chip) => chip.exclusive(({ esys }) => esys.Shutdown(...unauthorized, stateKept)));
    await initialise(tpm);
    await identity.ask((chip) => chip.exclusive(({ esys }) => esys.Startup(stateKept)));
  });
  assert.equal(attestedBy(wait.end).timeInfo.clockInfo.resetCount, attestedBy(wait.start).timeInfo.clockInfo.resetCount);
  assert.equal(outcome({ ...wait, waitMs: 0 }), 'restart-count-differs');
  assert.equal(outcome(await waitOf(identity)), 'accepted', 'a wait after the resume');
});

test('of a TPM’s state and its copy both certify, and on one branch the second is refused: their waits overlap (§12.3)', async () => {
  await stop(alpha);
  for (const part of ['tpm/state', 'state']) await cp(join(alpha.folder, part), join(folder, 'copy', part), { recursive: true });
  Object.assign(alpha, await start('alpha'));
  await sleep(300);
  const lastEnd = acceptedEnd(await waitOf(alpha.identity));
  const copy = await start('copy');
  try {
    const copied = await waitOf(copy.identity);
    assert.equal(outcome(copied), 'accepted', 'alone the copy looks right');
    assert.equal(outcome({ ...copied, lastEnd }), 'overlaps-last-block');
    await powerCycle(copy);
    const later = acceptedEnd(await waitOf(copy.identity));
    assert.equal(later.resetCount, lastEnd.resetCount + 1);
    const original = await waitOf(alpha.identity);
    assert.equal(outcome({ ...original, lastEnd: later }), 'reset-count-fell');
  } finally {
    await stop(copy);
  }
});

test('a voucher of the chip is accepted for its member and network, and for no other (§11.3)', async () => {
  const voucher = decodeVoucher(await alpha.identity.makeVoucher(network));
  assert.ok(voucher.status === 'decoded');
  const verdict = judgeVoucher(crypto, keyOf(alpha.identity), network, voucher.value);
  assert.ok(verdict.status === 'accepted');
  assert.deepEqual([verdict.operationalKey, verdict.resetCount], [alpha.identity.operationalKey, alpha.identity.resetCount]);
  assert.equal(judgeVoucher(crypto, keyOf(alpha.identity), parent, voucher.value).status, 'refused');
  assert.equal(judgeVoucher(crypto, keyOf(bravo.identity), network, voucher.value).status, 'refused');
});

test('a key beside the endorsement key, which survives TPM2_Clear with its counters rewound, is refused (§12.3)', async () => {
  const { identity } = bravo;
  const wait = await waitOf(identity);
  const at = 0x8100f010 as PersistentHandle;
  const primary = await identity.ask((tpm) => createPrimaryKey(tpm, { hierarchy: 'endorsement', template: attestationKeyTemplate, at }));
  const { attest, signature } = await identity.ask((tpm) => getTime(tpm, { signer: at, qualifyingData: startQualifier(wait) }));
  const start: TimeCertificate = { attestation: attest, signature: fixedSignature(signature) };
  const verdict = outcome({ ...wait, start }, keyOf(identity, primary.publicArea));
  assert.equal(verdict, 'start-other-signer');
});

test('a wait does not outlive TPM2_Clear: its attestation key is gone, and the one after it is another (§12.3)', async () => {
  const { identity } = bravo;
  const [parent, signer] = [0x8100f011 as PersistentHandle, 0x8100f012 as PersistentHandle];
  const wait = await waitOf(identity);
  await identity.ask((tpm) => clearTpm(tpm, 'lockout'));
  await assert.rejects(identity.certifyTime(endQualifier(wait.headerBytes)));
  const endorsement = await identity.ask((tpm) =>
    createPrimaryKey(tpm, { hierarchy: 'endorsement', template: endorsementKeyTemplate, at: parent }),
  );
  assert.deepEqual(endorsement.publicArea, identity.keys.endorsementKey.publicArea, 'the chip is the same');
  const end = await identity.ask(async (tpm) => {
    const key = await createKey(tpm, { parent, template: attestationKeyTemplate });
    await persistKey(tpm, { parent, key, at: signer });
    const { attest, signature } = await getTime(tpm, { signer, qualifyingData: endQualifier(wait.headerBytes) });
    return { attestation: attest, signature: lowS(fixedSignature(signature)) };
  });
  assert.equal(attestedBy(end).timeInfo.clockInfo.resetCount, 0, 'the counts are rewound');
  assert.equal(outcome({ ...wait, end }, keyOf(identity)), 'end-signature-wrong');
});

/** TPM_CLOCK_COARSE_FASTER, TPM 2.0 Part 2 section 6.5; TPM_SU_STATE, section 6.10. */
const coarseFaster = 3;
const stateKept = 1;

function attestedBy({ attestation }: TimeCertificate): Extract<Attest['body'], { kind: 'time' }>['attested'] {
  const decoded = Attest.decode(attestation);
  assert.ok(decoded.status === 'decoded' && decoded.value.body.kind === 'time');
  return decoded.value.body.attested;
}

/** _TPM_Init, the reset line of the chip: CMD_INIT on the control socket of swtpm. */
async function initialise({ socket }: SoftwareTpm): Promise<void> {
  const control = connect(`${socket}.ctrl`);
  const answered = new Promise<Buffer>((resolve, reject) => {
    control.once('data', resolve);
    control.once('error', reject);
  });
  control.write(Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 0));
  assert.deepEqual([...(await answered).subarray(0, 4)], [0, 0, 0, 0]);
  control.destroy();
}
