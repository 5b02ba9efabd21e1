/** Attacks on a device's evidence, each carried out with genuine software TPMs. Specification §3; threats: "TPM evidence". */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BeaconMessage } from '#protocol/beacon.ts';
import { blobDigest } from '#protocol/digest.ts';
import {
  encodeDeviceEvidence,
  evidenceQualifier,
  judgeDeviceEvidence,
  type DeviceEvidence,
  type EvidenceSubject,
} from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import { networkId, type Member, type Network } from '#protocol/network.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { sealBody, signingInput } from '#protocol/signed.ts';
import { objectAttributes } from '#protocol/tpm/object-attributes.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { attestationKeyTemplate } from '#protocol/tpm/templates.ts';
import { getTime, nvCertify, quote, type Attestation } from '../../../device/tpm/attestation.ts';
import { activateCredential, makeCredential } from '../../../device/tpm/credential.ts';
import { persistentHandle } from '../../../device/tpm/handle.ts';
import { createKey, createPrimaryKey, keyHandles } from '../../../device/tpm/keys.ts';
import { nvDefine, nvWrite } from '../../../device/tpm/nv.ts';
import { captured } from '../../unit/tpm/captured.ts';
import { beaconBy, credentialBy, startBench, type Bench } from './bench.ts';
import { beaconTime, encodedBeacon, evidenceOf, honestEvidence, judged, outcome, tpmSignature, type Evidence } from './forger.ts';

let bench: Bench;
let honest: Evidence;
before(async () => {
  bench = await startBench();
  honest = await honestEvidence(bench);
});
after(() => bench.stop());

const signer = keyHandles.attestationKey;
const ours = selectPcrs('sha256', [8, 14]);

function refusedFor(changes: Partial<DeviceEvidence>, network: Network = bench.network): string {
  return outcome(judged(network, honest, changes));
}

function asQuote({ attest, signature }: Attestation): Partial<DeviceEvidence> {
  return { quote: attest, quoteSignature: signature };
}

function asTime({ attest, signature }: Attestation): Partial<DeviceEvidence> {
  return { time: attest, timeSignature: signature };
}

/** The network file with another word about alpha. */
function networkWith(changes: Partial<Member>): Network {
  const members = bench.network.members.map((member) => (member.name === 'alpha' ? { ...member, ...changes } : member));
  return { ...bench.network, members };
}

async function alphaQuotes(qualifyingData: Uint8Array, selection = ours): Promise<Partial<DeviceEvidence>> {
  return asQuote(await bench.devices[0].identity.ask((tpm) => quote(tpm, { signer, qualifyingData, selection })));
}

test('evidence of a member whose keys, software and time all hold is trusted, and says why (§3)', () => {
  const verdict = judged(bench.network, honest);
  assert.ok(verdict.status === 'trusted', JSON.stringify(verdict));
  const { name, softwareTpm, bootTrust, operationalKey, steps } = verdict;
  assert.deepEqual(
    { name, softwareTpm, bootTrust, operationalKey },
    {
      name: 'alpha',
      softwareTpm: true,
      bootTrust: 'measured-by-itself',
      operationalKey: bench.devices[0].identity.operationalKey,
    },
  );
  assert.deepEqual(
    steps.map(({ rule }) => rule),
    ['member', 'endorsement', 'attestation-key', 'credentials', 'beacon', 'quote', 'measured-boot', 'operational-key', 'time'],
  );
});

test('plain TypeScript, as a browser runs it, gives the same verdict as OpenSSL (§3)', () => {
  const encoded = encodeDeviceEvidence(honest.parts);
  const atMs = beaconTime(honest.parts.beacon);
  assert.deepEqual(judgeDeviceEvidence(encoded, { network: bench.network, crypto: nobleCrypto, atMs }), judged(bench.network, honest));
});

test('bytes that a genuine restricted key signed, but that do not begin with TPM_GENERATED, are no quote (§3)', async () => {
  const forged = honest.parts.quote.slice();
  forged[3] = 0x46;
  const quoteSignature = tpmSignature(await bench.devices[0].identity.signWithAttestationKey(forged));
  assert.equal(refusedFor({ quote: forged, quoteSignature }), 'quote-not-tpm-generated');
});

test('certified time does not pass as a quote (§3)', async () => {
  const time = await bench.devices[0].identity.ask((tpm) => getTime(tpm, { signer, qualifyingData: honest.qualifier }));
  assert.equal(refusedFor(asQuote(time)), 'quote-other-kind');
});

test('NV_Certify of chosen contents does not pass as a quote (§3)', async () => {
  const index = 0x01500010;
  const nvPublic = { index, nameAlgorithm: 'sha256', attributes: nvAttributes, authPolicy: new Uint8Array(), dataBytes: 32 } as const;
  const certified = await bench.devices[0].identity.ask(async (tpm) => {
    await nvDefine(tpm, { hierarchy: 'owner', nvPublic });
    await nvWrite(tpm, { index, bytes: new Uint8Array(32) });
    return nvCertify(tpm, { signer, qualifyingData: honest.qualifier, index, bytes: 32, offset: 0 });
  });
  assert.equal(refusedFor(asQuote(certified)), 'quote-other-kind');
});

for (const [what, selection] of [
  ['resettable registers', selectPcrs('sha256', [16, 23])],
  ['no register', []],
  ['a bank that the chip does not keep', selectPcrs('sha1', [8, 14])],
  ['one of the two registers', selectPcrs('sha256', [14])],
  ['more than the two registers', selectPcrs('sha256', [8, 14, 16])],
] as const) {
  test(`a quote over ${what} is refused: the selection must be exactly PCRs 8 and 14 (§3)`, async () => {
    assert.equal(refusedFor(await alphaQuotes(honest.qualifier, [...selection])), 'quote-other-pcr-selection');
  });
}

test('register values that the TPM did not quote are refused (§3)', () => {
  assert.equal(refusedFor({ pcrs: { ...honest.parts.pcrs, pcr14: blobDigest(Uint8Array.of(9)) } }), 'quote-other-pcr-values');
});

for (const [what, change] of [
  ['another network', { network: blobDigest(Uint8Array.of(1)) }],
  ['another beacon', { beaconValue: blobDigest(Uint8Array.of(2)) }],
  ['another device', { node: blobDigest(Uint8Array.of(3)) }],
  ['another operational key', { operationalKey: blobDigest(Uint8Array.of(4)) }],
] as const satisfies readonly (readonly [string, Partial<EvidenceSubject>])[]) {
  test(`a quote made for ${what} is refused (§3)`, async () => {
    const qualifier = evidenceQualifier('evidence', { ...honest.subject, ...change });
    assert.equal(refusedFor(await alphaQuotes(qualifier)), 'quote-other-qualifying-data');
  });
}

test('a quote made for another purpose is refused (§3)', async () => {
  assert.equal(refusedFor(await alphaQuotes(honest.timeQualifier)), 'quote-other-qualifying-data');
});

test('scheme and hash are the key’s, never those that the signature names (§3)', () => {
  const signature = honest.parts.quoteSignature.slice();
  signature.set([0x00, 0x0c], 2);
  assert.equal(refusedFor({ quoteSignature: signature }), 'quote-signature-scheme');
});

test('a quote that is cut off, or has bytes behind its end, is refused (§3)', () => {
  const { quote: whole } = honest.parts;
  assert.equal(refusedFor({ quote: whole.slice(0, -1) }), 'quote-malformed');
  assert.equal(refusedFor({ quote: Uint8Array.of(...whole, 0) }), 'quote-malformed');
});

test('evidence has one encoding and a limit (§2.1, §10)', () => {
  const encoded = encodeDeviceEvidence(honest.parts);
  const context = { network: bench.network, crypto: nobleCrypto, atMs: 0 };
  assert.equal(outcome(judgeDeviceEvidence(Uint8Array.of(...encoded, 0), context)), 'malformed');
  assert.equal(outcome(judgeDeviceEvidence(encoded.subarray(0, -1), context)), 'malformed');
  assert.equal(outcome(judgeDeviceEvidence(new Uint8Array(LIMITS.evidenceBytesMax + 1), context)), 'malformed');
});

test('a signature by another member’s chip is refused (§3)', async () => {
  const other = await bench.devices[1].identity.ask((tpm) => quote(tpm, { signer, qualifyingData: honest.qualifier, selection: ours }));
  assert.equal(refusedFor(asQuote(other)), 'quote-signature-wrong');
});

test('a device that is no member is refused (§4)', () => {
  assert.equal(refusedFor({ node: blobDigest(Uint8Array.of(5)) }), 'unknown-member');
});

test('keys other than those in the network file are refused (§4)', () => {
  const [, bravo] = bench.network.members;
  assert.ok(bravo);
  assert.equal(refusedFor({ endorsementKey: bravo.endorsementKey }), 'keys-differ');
  assert.equal(refusedFor({ attestationKey: bravo.attestationKey }), 'keys-differ');
});

test('a certificate for another chip’s endorsement key is refused (§3)', () => {
  const [, bravo] = bench.network.members;
  assert.equal(
    refusedFor({}, networkWith({ endorsementCertificate: bravo?.endorsementCertificate ?? new Uint8Array(1) })),
    'endorsement-certificate-other-key',
  );
});

test('a software TPM is refused where genesis names no authority of software TPMs, and one of a strange authority everywhere (§3.2)', () => {
  const foundedOn = (certificate: string): Network => {
    const endorsementAuthorities = [{ certificate: Uint8Array.fromHex(certificate), softwareTpm: false }];
    return { ...bench.network, genesis: { ...bench.network.genesis, endorsementAuthorities } };
  };
  assert.equal(refusedFor({}, foundedOn(captured.root)), 'endorsement-certificate-unknown-authority');
  assert.equal(
    refusedFor({}, foundedOn(captured.intermediate)),
    'endorsement-certificate-signature-wrong',
    'it has the name of the right one',
  );
});

test('an unrestricted key is no attestation key, whatever it signs (§3)', async () => {
  const template = {
    ...attestationKeyTemplate,
    attributes: objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA', 'sign'),
  };
  const { publicArea } = await bench.devices[0].identity.ask((tpm) => createKey(tpm, { parent: keyHandles.endorsementKey, template }));
  assert.equal(refusedFor({ attestationKey: publicArea }, networkWith({ attestationKey: publicArea })), 'attestation-key-not-the-template');
});

test('a key that may leave its chip is no attestation key (§3)', async () => {
  const template = {
    ...attestationKeyTemplate,
    attributes: objectAttributes('sensitiveDataOrigin', 'userWithAuth', 'noDA', 'restricted', 'sign'),
  };
  const { publicArea } = await bench.devices[0].identity.ask((tpm) => createKey(tpm, { parent: keyHandles.endorsementKey, template }));
  assert.equal(refusedFor({ attestationKey: publicArea }, networkWith({ attestationKey: publicArea })), 'attestation-key-not-the-template');
});

test('a primary attestation key opens secrets closed for it, and is refused by the qualified signer (§3)', async () => {
  const { identity } = bench.devices[0];
  const at = persistentHandle(0x81010020);
  const primary = await identity.ask((tpm) => createPrimaryKey(tpm, { hierarchy: 'endorsement', template: attestationKeyTemplate, at }));
  const secret = blobDigest(Uint8Array.of(6));
  const closed = await bench.devices[1].identity.ask((tpm) =>
    makeCredential(tpm, { endorsementKey: honest.parts.endorsementKey, name: primary.name, credential: secret }),
  );
  const opened = await identity.ask((tpm) =>
    activateCredential(tpm, { endorsementKey: keyHandles.endorsementKey, key: at, credential: closed }),
  );
  assert.deepEqual(opened, secret, 'credential activation alone does not show the parent');

  const network = networkWith({ attestationKey: primary.publicArea });
  const names = { attestationKeyName: primary.name };
  const credentials = [
    await credentialBy(bench.devices[1].identity, identity, network, names),
    await credentialBy(bench.devices[2].identity, identity, network, names),
  ];
  const quoted = await identity.ask((tpm) => quote(tpm, { signer: at, qualifyingData: honest.qualifier, selection: ours }));
  assert.equal(refusedFor({ attestationKey: primary.publicArea, credentials, ...asQuote(quoted) }, network), 'quote-other-signer');
});

test('evidence is refused once its beacon is older than five minutes and the tolerance of clocks, and before it (§3.5)', async () => {
  const { beaconAgeMaxMs, clockSkewMaxMs } = LIMITS;
  const [alpha, bravo] = bench.devices;
  const later = Date.now() + 2 * clockSkewMaxMs; // the certificates of these TPMs are valid from a moment ago
  const evidence = await evidenceOf(alpha.identity, bravo.identity, bench.network, honest.parts.credentials, later);
  assert.equal(outcome(judged(bench.network, evidence, {}, beaconAgeMaxMs + clockSkewMaxMs)), 'trusted');
  assert.equal(outcome(judged(bench.network, evidence, {}, beaconAgeMaxMs + clockSkewMaxMs + 1)), 'beacon-too-old');
  assert.equal(outcome(judged(bench.network, evidence, {}, -clockSkewMaxMs)), 'trusted');
  assert.equal(outcome(judged(bench.network, evidence, {}, -clockSkewMaxMs - 1)), 'beacon-in-future');
});

test('a beacon that the device made itself is refused (§3)', async () => {
  const [alpha] = bench.devices;
  const evidence = await evidenceOf(alpha.identity, alpha.identity, bench.network, honest.parts.credentials);
  assert.equal(outcome(judged(bench.network, evidence)), 'beacon-by-subject');
});

test('a beacon of another network, by nobody, or signed by another than its issuer is refused (§3)', async () => {
  const [alpha, bravo, charlie] = bench.devices;
  const beacon = {
    network: networkId(bench.network),
    issuer: bravo.identity.node,
    nonce: new Uint8Array(32),
    issuedAtMs: beaconTime(honest.parts.beacon),
  };
  const signed = async (body: Uint8Array) =>
    sealBody(body, await charlie.identity.signWithAttestationKey(signingInput(BeaconMessage.domain, body)));
  assert.equal(refusedFor({ beacon: await signed(encodedBeacon(beacon)) }), 'beacon-signature-wrong');
  assert.equal(
    refusedFor({ beacon: await signed(encodedBeacon({ ...beacon, issuer: alpha.identity.operationalKey })) }),
    'beacon-issuer-unknown',
  );
  assert.equal(refusedFor({ beacon: await signed(encodedBeacon({ ...beacon, network: alpha.identity.node })) }), 'beacon-of-other-network');
  const other = await beaconBy(bravo.identity, bench.network, beacon.issuedAtMs);
  assert.equal(refusedFor({ beacon: other.envelope }), 'quote-other-qualifying-data');
});

test('fewer credentials than genesis demands, or two by one member, are refused (§3)', async () => {
  const [alpha, bravo] = bench.devices;
  const [first = new Uint8Array(1)] = honest.parts.credentials;
  assert.equal(refusedFor({ credentials: [] }), 'too-few-credentials');
  assert.equal(refusedFor({ credentials: [first] }), 'too-few-credentials');
  const second = await credentialBy(bravo.identity, alpha.identity, bench.network, { issuedAtMs: 1 });
  assert.equal(refusedFor({ credentials: [first, second] }), 'credential-issuer-repeated');
});

test('nobody vouches for itself (§3)', async () => {
  const [alpha] = bench.devices;
  const own = await credentialBy(alpha.identity, alpha.identity, bench.network);
  assert.equal(refusedFor({ credentials: [...honest.parts.credentials, own] }), 'credential-by-subject');
});

test('a credential for other keys, another device or another network, or one altered, is refused (§3)', async () => {
  const [alpha, bravo, charlie] = bench.devices;
  const [first = new Uint8Array(1), second = new Uint8Array(1)] = honest.parts.credentials;
  const with2 = async (changes: Parameters<typeof credentialBy>[3]) =>
    refusedFor({ credentials: [first, await credentialBy(charlie.identity, alpha.identity, bench.network, changes)] });
  assert.equal(await with2({ attestationKeyName: bravo.identity.keys.attestationKey.name }), 'credential-keys-differ');
  assert.equal(await with2({ endorsementKeyName: bravo.identity.keys.endorsementKey.name }), 'credential-keys-differ');
  assert.equal(await with2({ vrfKeyDigest: alpha.identity.node }), 'credential-keys-differ');
  assert.equal(await with2({ subject: bravo.identity.node }), 'credential-of-other-subject');
  assert.equal(await with2({ network: alpha.identity.node }), 'credential-of-other-network');
  assert.equal(await with2({ issuedAtMs: Date.now() + 3_600_000 }), 'credential-in-future');
  assert.equal(await with2({ issuer: bravo.identity.node }), 'credential-signature-wrong');
  const altered = second.slice();
  altered.set([(altered.at(-1) ?? 0) ^ 1], altered.length - 1);
  assert.equal(refusedFor({ credentials: [first, altered] }), 'credential-signature-wrong');
});

test('an event log that does not replay to PCR 14 is refused (§3)', () => {
  const { eventLog } = honest.parts;
  assert.equal(refusedFor({ eventLog: eventLog.slice(1) }), 'event-log-differs');
  assert.equal(refusedFor({ eventLog: eventLog.toReversed() }), 'event-log-differs');
});

test('software that the network file does not know is refused (§3)', () => {
  const references = bench.network.references.filter(({ kind }) => kind !== 'firmware');
  assert.equal(refusedFor({}, { ...bench.network, references }), 'measurement-unknown');
});

test('a quote does not pass as certified time, nor time for another purpose (§3)', async () => {
  const { identity } = bench.devices[0];
  const quoted = await identity.ask((tpm) => quote(tpm, { signer, qualifyingData: honest.timeQualifier, selection: ours }));
  assert.equal(refusedFor(asTime(quoted)), 'time-other-kind');
  const time = await identity.ask((tpm) => getTime(tpm, { signer, qualifyingData: honest.qualifier }));
  assert.equal(refusedFor(asTime(time)), 'time-other-qualifying-data');
});

const nvAttributes = {
  ...Object.fromEntries(
    [
      'ppWrite',
      'ownerWrite',
      'policyWrite',
      'typeCounter',
      'typeBits',
      'typeExtend',
      'typePin',
      'policyDelete',
      'writeLocked',
      'writeAll',
      'writeDefine',
      'writeStClear',
      'globalLock',
      'ppRead',
      'ownerRead',
      'policyRead',
      'orderly',
      'clearStClear',
      'readLocked',
      'written',
      'platformCreate',
      'readStClear',
    ].map((name) => [name, false]),
  ),
  authWrite: true,
  authRead: true,
  noDA: true,
} as Parameters<typeof nvDefine>[1]['nvPublic']['attributes'];
