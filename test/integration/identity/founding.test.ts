/** Who gets a seat at the founding of a network, with TPMs that answer. Specification §4.3. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { judgeMemberCard } from '#protocol/enrolment.ts';
import type { Member } from '#protocol/network.ts';
import { requireActivation, type Applicant } from '../../../device/identity/activation.ts';
import { makeCard } from '../../../device/identity/card.ts';
import type { Identity } from '../../../device/identity/identity.ts';
import type { Tpm } from '../../../device/tpm/tpm.ts';
import { foundNetwork, type Candidate } from '../../../scripts/grid/network.ts';
import { cardRequest, crypto, salt, startBench, type Bench, type Device } from '../attestation/bench.ts';
import { forgedCard } from './forged-card.ts';

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
  const card = forgedCard(bench.network.members[0] as Member, founding());
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
  const card = forgedCard(bench.network.members[0] as Member, founding());
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
