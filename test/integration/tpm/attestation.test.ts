/** Attestations of the chip, checked with node:crypto and the pure structures of the protocol. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';

import { certify, certifyCreation, getTime, nvCertify, quote } from '../../../device/tpm/attestation.ts';
import { readClock } from '../../../device/tpm/clock.ts';
import { activateCredential, makeCredential } from '../../../device/tpm/credential.ts';
import { hasTpmCode } from '../../../device/tpm/error.ts';
import { keyHandles } from '../../../device/tpm/keys.ts';
import { certificateIndexes, nvRead, nvReadPublic } from '../../../device/tpm/nv.ts';
import { pcrExtend, pcrRead } from '../../../device/tpm/pcr.ts';
import { rawRsaDecrypt } from '../../../device/tpm/raw-rsa.ts';
import { signWithRestrictedKey } from '../../../device/tpm/signing.ts';
import { CreationData } from '#protocol/tpm/creation-data.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import {
  bigintOf,
  isSigned,
  openTpmUnderTest,
  outsideInfo,
  provision,
  requireAttested,
  rsaArea,
  testHandles,
  unprovision,
  wearing,
  mayWear,
  type TestKeys,
} from './tpm-under-test.ts';

const bench = await openTpmUnderTest();
const { tpm } = bench;
const signer = testHandles.attestationKey;
const qualifyingData = new Uint8Array(32).map((_, index) => index);
let keys: TestKeys;

before(async () => {
  if (mayWear) keys = await provision(tpm);
});
after(async () => {
  try {
    if (mayWear) await unprovision(tpm);
  } finally {
    await bench.close();
  }
});

test('a quote is over the selected registers, carries the qualifying data and is signed by the attestation key', wearing, async () => {
  await pcrExtend(tpm, 16, 'sha256', new Uint8Array(32).fill(9));
  const registers = await pcrRead(tpm, 'sha256', [8, 14, 16]);
  const body = requireAttested(
    keys.attestationKey,
    await quote(tpm, { signer, qualifyingData, selection: selectPcrs('sha256', [8, 14, 16]) }),
  );
  assert.ok(body.kind === 'quote');
  assert.deepEqual(body.attested.pcrSelection, selectPcrs('sha256', [8, 14, 16]));
  assert.equal(
    body.attested.pcrDigest.toHex(),
    createHash('sha256')
      .update(Buffer.concat([...registers.values()]))
      .digest('hex'),
  );
  assert.deepEqual([body.extraData, body.qualifiedSigner], [qualifyingData, keys.attestationKey.qualifiedName]);
});

test('a quote over a bank that the chip does not keep selects nothing, and is no error', wearing, async () => {
  const body = requireAttested(keys.attestationKey, await quote(tpm, { signer, qualifyingData, selection: selectPcrs('sha512', [8]) }));
  assert.ok(body.kind === 'quote');
  const masks = body.attested.pcrSelection.map(({ mask }) => mask.toHex());
  assert.deepEqual(
    masks,
    masks.map(() => '000000'),
  );
});

test(
  'certified time shows the counts of the chip plainly in both places, since the key is a child of the endorsement key',
  wearing,
  async () => {
    const earlier = await readClock(tpm);
    const body = requireAttested(keys.attestationKey, await getTime(tpm, { signer, qualifyingData }));
    const later = await readClock(tpm);
    assert.ok(body.kind === 'time');
    const { timeInfo, firmwareVersion } = body.attested;
    assert.ok(earlier.time <= timeInfo.time && timeInfo.time <= later.time);
    assert.deepEqual([body.clockInfo, body.firmwareVersion], [timeInfo.clockInfo, firmwareVersion]);
    assert.equal(timeInfo.clockInfo.resetCount, later.clockInfo.resetCount);
  },
);

test('Certify names the VRF key and the chain of its parents', wearing, async () => {
  const body = requireAttested(keys.attestationKey, await certify(tpm, { signer, subject: testHandles.vrfKey, qualifyingData }));
  assert.ok(body.kind === 'certify');
  assert.deepEqual(body.attested, { name: keys.vrfKey.name, qualifiedName: keys.vrfKey.qualifiedName });
});

test('CertifyCreation binds the VRF key to creation data with its parent and the outside information', wearing, async () => {
  const created = keys.createdVrfKey;
  const body = requireAttested(
    keys.attestationKey,
    await certifyCreation(tpm, { signer, subject: testHandles.vrfKey, qualifyingData, created }),
  );
  assert.ok(body.kind === 'creation');
  assert.deepEqual(body.attested, { objectName: keys.vrfKey.name, creationHash: created.creationHash });
  assert.equal(created.creationHash.toHex(), createHash('sha256').update(created.creationData).digest('hex'));
  const data = CreationData.decode(created.creationData);
  assert.ok(data.status === 'decoded');
  assert.deepEqual([data.value.parentName, data.value.outsideInfo], [keys.endorsementKey.name, outsideInfo]);
});

test('CertifyCreation is refused for another creation hash', wearing, async () => {
  const created = { ...keys.createdVrfKey, creationHash: new Uint8Array(32) };
  await assert.rejects(certifyCreation(tpm, { signer, subject: testHandles.vrfKey, qualifyingData, created }), /TPM_RC|tpm:/);
});

test('NV_Certify shows the contents of an index and its name', wearing, async () => {
  const index = certificateIndexes.endorsementKey;
  const body = requireAttested(keys.attestationKey, await nvCertify(tpm, { signer, qualifyingData, index, bytes: 100, offset: 4 }));
  assert.ok(body.kind === 'nv');
  const contents = await nvRead(tpm, index);
  assert.deepEqual(body.attested, { indexName: (await nvReadPublic(tpm, index))?.name, offset: 4, contents: contents?.subarray(4, 104) });
});

test('the attestation key signs bytes from outside, unless they begin like its own', wearing, async () => {
  const message = Buffer.from('capstan: a message from outside');
  assert.ok(isSigned(keys.attestationKey, message, await signWithRestrictedKey(tpm, { signer, message })));
  const forged = Uint8Array.of(0xff, 0x54, 0x43, 0x47, ...message);
  await assert.rejects(signWithRestrictedKey(tpm, { signer, message: forged }), (error) => hasTpmCode(error, 'ticket'));
});

test('a credential opens for the name that it was made for, and for no other', wearing, async () => {
  const credential = new Uint8Array(32).map((_, index) => 255 - index);
  const { publicArea } = keys.endorsementKey;
  const made = await makeCredential(tpm, { endorsementKey: publicArea, name: keys.attestationKey.name, credential });
  const endorsementKey = keyHandles.endorsementKey;
  assert.deepEqual(await activateCredential(tpm, { endorsementKey, key: signer, credential: made }), credential);
  await assert.rejects(activateCredential(tpm, { endorsementKey, key: testHandles.vrfKey, credential: made }), (error) =>
    hasTpmCode(error, 'integrity'),
  );
});

test('the VRF key does the raw RSA operation: proof^e mod n is the encoded message (RFC 9381 section 4.1)', wearing, async () => {
  const encoded = Uint8Array.of(0, ...createHash('shake256', { outputLength: 255 }).update('alpha').digest());
  const proof = await rawRsaDecrypt(tpm, { key: testHandles.vrfKey, encoded });
  const n = bigintOf(rsaArea(keys.vrfKey).unique);
  assert.equal(proof.length, 256);
  assert.equal(power(bigintOf(proof), 65_537n, n), bigintOf(encoded));
});

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base % modulus];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}
