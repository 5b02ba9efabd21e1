/** Who gets a seat at the founding of a network, with TPMs that answer. Specification §4.3. */
import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, privateDecrypt, sign, type KeyObject } from 'node:crypto';
import { after, before, test } from 'node:test';

import { encodeMemberCard, enrolmentQualifier, judgeMemberCard, vrfKeyPurpose } from '#protocol/enrolment.ts';
import type { Member } from '#protocol/network.ts';
import { Attest, tpmGenerated } from '#protocol/tpm/attest.ts';
import { judgeMemberKeys, type MemberKeys } from '#protocol/member-keys.ts';
import { CreationData } from '#protocol/tpm/creation-data.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { attestationKeyTemplate, vrfKeyTemplate } from '#protocol/tpm/templates.ts';
import { vrfKeyRootMessages } from '#protocol/tpm/vrf.ts';
import { requireActivation, type Applicant } from '../../../device/identity/activation.ts';
import { makeCard } from '../../../device/identity/card.ts';
import type { Identity } from '../../../device/identity/identity.ts';
import type { Tpm } from '../../../device/tpm/tpm.ts';
import { foundNetwork, type Candidate } from '../../../scripts/grid/network.ts';
import { tpmSignature } from '../attestation/forger.ts';
import { cardRequest, crypto, salt, startBench, type Bench, type Device } from '../attestation/bench.ts';

let bench: Bench;
let honest: Candidate[];
before(async () => {
  bench = await startBench();
  honest = await Promise.all(bench.devices.map(candidateOf));
});
after(async () => bench.stop());

test('devices whose TPMs open what the others closed for them found a network (§4.3)', async () => {
  const network = await found(honest);
  assert.deepEqual(
    network.members.map(({ name }) => name),
    ['alpha', 'bravo', 'charlie'],
  );
});

test('a card of a copied certificate and keys made in software gets no seat, whatever TPM stands behind it (§4.3)', async () => {
  const card = forgedCard(bench.network.members[0] as Member);
  assert.equal(judgeMemberCard(card, founding()).status, 'accepted', 'nothing on the card itself gives it away');
  const [alpha, ...others] = honest as [Candidate, Candidate, Candidate];
  const refusal = /device alpha gets no seat: its TPM can't open what (bravo|charlie) closed for the keys on its card/;
  await assert.rejects(found([{ card, tpm: alpha.tpm }, ...others]), refusal, 'the TPM of the certificate');
  const [closer, other] = others.map(applicantOf) as [Applicant, Applicant];
  const forged = applicantOf({ card, tpm: other.tpm });
  await assert.rejects(requireActivation(forged, closer, new Uint8Array(32).fill(1)), refusal, 'another TPM');
});

test('a device that answers with another secret gets no seat (§4.3)', async () => {
  const [alpha, ...others] = honest as [Candidate, Candidate, Candidate];
  const card = forgedCard(bench.network.members[0] as Member);
  await assert.rejects(found([{ card, tpm: guessing(alpha.tpm) }, ...others]), /device alpha gets no seat: what it opened is not what/);
});

test('too few devices to vouch for each other found nothing (§4.3)', async () => {
  await assert.rejects(found(honest.slice(0, 2)), /2 devices can't found a network: each needs 2 others that vouch for it/);
});

async function found(candidates: readonly Candidate[]): ReturnType<typeof foundNetwork> {
  return foundNetwork('bench', salt, candidates, bench.authorities, []);
}

function founding(): Parameters<typeof judgeMemberCard>[1] {
  return { salt, authorities: bench.network.genesis.endorsementAuthorities, crypto, atMs: Date.now() };
}

async function candidateOf({ name, identity }: Device): Promise<Candidate> {
  return { card: await makeCard(identity, cardRequest(name)), tpm: await tpmOf(identity) };
}

function applicantOf({ card, tpm }: Candidate): Applicant {
  const verdict = judgeMemberCard(card, founding());
  assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
  return { member: verdict.member, keys: verdict.keys, tpm };
}

async function tpmOf(identity: Identity): Promise<Tpm> {
  return identity.ask((tpm) => Promise.resolve(tpm));
}

/** Closes secrets for others as a TPM does, and opens its own by guessing. */
function guessing(tpm: Tpm): Tpm {
  let isOpening = false;
  const pinSaltKey = (): void => void (isOpening = true);
  const exclusive: Tpm['exclusive'] = async (operation) => {
    if (!isOpening) return tpm.exclusive(operation);
    isOpening = false;
    return new Uint8Array(32) as Awaited<ReturnType<typeof operation>>;
  };
  return { pinSaltKey, exclusive } as unknown as Tpm;
}

/** What somebody without a TPM makes of a member's certificate: everything that the new keys can sign. */
function forgedCard(copied: Member): Uint8Array {
  const attestation = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const vrf = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const member = { ...copied, attestationKey: eccArea(attestation.publicKey), vrfKey: rsaArea(vrf.publicKey) };
  const judged = judgeMemberKeys(member, founding().authorities, founding());
  assert.ok(judged.status === 'accepted', JSON.stringify(judged));
  const { keys } = judged;
  const creationData = creationDataOf(keys);
  const attest = attester(attestation.privateKey, keys, enrolmentQualifier(salt, member));
  const { name, qualifiedName, modulus } = keys.vrfKey;
  return encodeMemberCard({
    member,
    vrfKeyCertification: attest({ kind: 'certify', attested: { name, qualifiedName } }),
    vrfKeyCreation: {
      ...attest({ kind: 'creation', attested: { objectName: name, creationHash: crypto.sha256(creationData) } }),
      creationData,
    },
    vrfKeyRoots: vrfKeyRootMessages(crypto, modulus).map((message) => rootOf(vrf.privateKey, message)),
  });
}

type Certified = Pick<Extract<Attest['body'], { kind: 'certify' }>, 'kind' | 'attested'>;
type Created = Pick<Extract<Attest['body'], { kind: 'creation' }>, 'kind' | 'attested'>;

function attester(key: KeyObject, keys: MemberKeys, extraData: Uint8Array) {
  const clockInfo = { clock: 1n, resetCount: 1, restartCount: 0, safe: true };
  const common = { qualifiedSigner: keys.attestationKey.qualifiedName, extraData, clockInfo, firmwareVersion: 1n };
  return (about: Certified | Created): { attestation: Uint8Array; signature: Uint8Array } => {
    const attestation = Attest.encode({ magic: tpmGenerated, body: { ...common, ...about } });
    const signature = sign('sha256', attestation, { key, dsaEncoding: 'ieee-p1363' });
    return { attestation, signature: tpmSignature(new Uint8Array(signature)) };
  };
}

function creationDataOf({ endorsementKey }: MemberKeys): Uint8Array {
  return CreationData.encode({
    pcrSelection: [],
    pcrDigest: new Uint8Array(),
    locality: 1,
    parentNameAlgorithm: 'sha256',
    parentName: endorsementKey.name,
    parentQualifiedName: endorsementKey.qualifiedName,
    outsideInfo: vrfKeyPurpose(salt),
  });
}

function eccArea(key: KeyObject): Uint8Array {
  const { x, y } = key.export({ format: 'jwk' });
  return PublicArea.encode({ ...attestationKeyTemplate, unique: { x: fromJwk(x), y: fromJwk(y) } });
}

function rsaArea(key: KeyObject): Uint8Array {
  return PublicArea.encode({ ...vrfKeyTemplate, unique: fromJwk(key.export({ format: 'jwk' }).n) });
}

function rootOf(key: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, message));
}

function fromJwk(number = ''): Uint8Array {
  return Uint8Array.fromBase64(number, { alphabet: 'base64url' });
}
