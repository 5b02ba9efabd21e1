/** What a newcomer's chip must show before members give it their word, and how each false one is refused. Specification §4.3, §11.5. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Answers } from '#protocol/credential.ts';
import { DeviceEvidence, encodeDeviceEvidence } from '#protocol/evidence.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { LIMITS } from '#protocol/limits.ts';
import { judgeMemberKeys } from '#protocol/member-keys.ts';
import { memberDigest, networkId, type Member, type Network } from '#protocol/network.ts';
import type { AttestationRecord } from '../../../device/attestation/record.ts';
import { verificationOf } from '../../../device/attestation/verification.ts';
import { makeCard } from '../../../device/identity/card.ts';
import type { Identity } from '../../../device/identity/identity.ts';
import { genesisPosition } from '../../../device/ledger/genesis.ts';
import { applyTransaction } from '../../../device/ledger/transaction-rules.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { captured } from '../../unit/tpm/captured.ts';
import { forgedCard } from '../identity/forged-card.ts';
import { cardRequest, crypto, networkOf, openDevice, salt, startBench, type Bench } from './bench.ts';
import { World, type Message } from './world.ts';

let bench: Bench;
/** Two founders; charlie's chip is the newcomer. */
let network: Network;
let newcomer: Identity;
let card: Uint8Array;
/** A chip of the same maker, and one of a maker that the genesis does not name. */
let another: Identity, stranger: Identity;
const tpms: SoftwareTpm[] = [];

before(async () => {
  bench = await startBench();
  network = networkOf(bench.network.members.slice(0, 2), bench.authorities);
  newcomer = bench.devices[2].identity;
  card = await makeCard(newcomer, cardRequest('charlie'));
  another = await chip('another', 'authority');
  stranger = await chip('stranger', 'authority-of-a-stranger');
});
after(async () => {
  for (const identity of [another, stranger]) await identity.close();
  for (const tpm of tpms) await tpm.kill();
  await bench.stop();
});

async function chip(name: string, authority: string): Promise<Identity> {
  const folder = join(bench.folder, name);
  const tpm = await startSoftwareTpm({ folder: join(folder, 'tpm'), authorityFolder: join(bench.folder, authority) });
  tpms.push(tpm);
  return openDevice(tpm, folder);
}

describe('the chain takes the card of a newcomer', () => {
  test('of a chip whose maker the genesis names (§11.5)', () => assert.equal(applied(card), 'applied'));

  test('and not of another authority, though its certificates bear the same names (§3.2)', async () => {
    const shown = await makeCard(stranger, cardRequest('charlie'));
    assert.equal(applied(shown), 'card-endorsement-certificate-signature-wrong');
  });
  test('and not of a software TPM where the genesis names makers of chips alone (§3.2)', () => {
    const endorsementAuthorities = [{ certificate: Uint8Array.fromHex(captured.root), softwareTpm: false }];
    const chips = { ...network, genesis: { ...network.genesis, endorsementAuthorities } };
    assert.equal(applied(card, chips), 'card-endorsement-certificate-unknown-authority');
  });
  test('and not with the certificate of another chip (§3.2)', async () => {
    const { endorsementCertificate } = another.keys;
    const shown = await makeCard(posing(newcomer, { endorsementCertificate }), cardRequest('charlie'));
    assert.equal(applied(shown), 'card-endorsement-certificate-other-key');
  });
  test("and not with another chip's keys under its certificate: a cuckoo's qualified signer is its own (§3.1)", async () => {
    const { endorsementKey, endorsementCertificate } = newcomer.keys;
    const shown = await makeCard(posing(another, { endorsementKey, endorsementCertificate }), cardRequest('charlie'));
    assert.equal(applied(shown), 'card-vrf-key-certification-other-signer');
  });
  test('and not before the certificate is valid, by chain time (§3.2, §11.2)', () =>
    assert.equal(applied(card, network, Date.UTC(2020, 0)), 'card-endorsement-certificate-not-yet-valid'));
});

describe('a secret is opened', () => {
  const secret = new Uint8Array(32).fill(7);
  const closedFor = async (attestationKeyName: Uint8Array) =>
    bench.devices[0].identity.closeSecret(secret, newcomer.keys.endorsementKey.publicArea, attestationKeyName);

  test('by the chip that has both keys, and by no other (§3.4)', async () => {
    const closed = await closedFor(newcomer.keys.attestationKey.name);
    assert.deepEqual(await newcomer.openSecret(closed), secret);
    await assert.rejects(another.openSecret(closed), { code: 'ERR_TPM', command: 'ActivateCredential' });
  });
  test('for keys made in software by no chip, not even by that of the certificate: a relay gains nothing (§3.4)', async () => {
    const forged = memberIn(forgedCard(memberIn(card), founding()));
    const keys = judgeMemberKeys(forged, network.genesis.endorsementAuthorities, founding());
    assert.ok(keys.status === 'accepted', 'nothing on the card itself gives it away');
    const closed = await closedFor(keys.keys.attestationKey.name);
    for (const oracle of [newcomer, another])
      await assert.rejects(oracle.openSecret(closed), { code: 'ERR_TPM', command: 'ActivateCredential' });
  });
  test("for another chip's attestation key by neither chip (§3.4)", async () => {
    const closed = await closedFor(another.keys.attestationKey.name);
    for (const oracle of [newcomer, another])
      await assert.rejects(oracle.openSecret(closed), { code: 'ERR_TPM', command: 'ActivateCredential' });
  });
});

describe('members give a newcomer their word', () => {
  test('once its key is activated and its evidence trusted, each by itself (§11.5)', async () => {
    const world = new World(bench);
    assert.deepEqual(doubts(world), ['key-not-activated', 'key-not-activated']);
    await world.settle();
    assert.deepEqual(doubts(world), ['verified', 'verified']);
  });
  test('for the card that they have verified, and no other of the same chip (§11.5)', async () => {
    const world = await settled();
    const { state } = world.node('alpha');
    const other = memberIn(forgedCard(memberIn(card), founding()));
    const verification = verificationOf(state, memberDigest(other));
    assert.equal(verification.status === 'unverified' && verification.reason, 'not-followed');
  });
  test('not before its TPM has opened the secret that each has closed (§3.4)', async () => {
    const guesses = (message: Message): Message => {
      const answers = decodeStrict(Answers, message.payload, LIMITS.packetBytesMax);
      assert.ok(answers.status === 'decoded');
      return {
        ...message,
        payload: encodeStrict(
          Answers,
          answers.value.map((answer) => ({ ...answer, proof: new Uint8Array(32) })),
        ),
      };
    };
    assert.deepEqual(doubts(await settled({}, 'answer', guesses)), ['key-not-activated', 'key-not-activated']);
  });
  test('not where others admit: then they close no secret, and do as soon as they are drawn (§3.4, §11.5)', async () => {
    const world = new World(bench, { leftToOthers: [newcomer.node] });
    await world.settle();
    assert.deepEqual(doubts(world), ['left-to-others', 'left-to-others']);
    const times = (name: string, task: string) => world.node(name).asked.filter((asked) => asked === task).length;
    assert.deepEqual([times('alpha', 'close-secret'), times('charlie', 'open-secret')], [1, 0]);
    for (const name of ['alpha', 'bravo']) await world.node(name).take({ type: 'left-to-others', nodes: [], nowMs: world.nowMs });
    await world.settle();
    assert.deepEqual(doubts(world), ['verified', 'verified']);
  });
  test('not for software that no release lists, or whose release is over or not begun (§3.3, §4.4)', async () => {
    const [firmware, ...others] = bench.network.references;
    assert.ok(firmware);
    const listing = async (...listed: Network['references']) =>
      doubts(await settled({ network: { ...bench.network, references: [...listed, ...others] } }));
    const nowS = Math.floor(Date.now() / 1_000);
    assert.deepEqual(await listing(), ['measurement-unknown', 'measurement-unknown']);
    assert.deepEqual(await listing({ ...firmware, validUntil: nowS - 60 }), ['release-over', 'release-over']);
    assert.deepEqual(await listing({ ...firmware, validFrom: nowS + 3_600 }), ['release-not-begun', 'release-not-begun']);
    assert.deepEqual(await listing({ ...firmware, validFrom: nowS - 60, validUntil: nowS + 3_600 }), ['verified', 'verified']);
  });
  test('not for evidence that it showed before: a replay is not of now (§3.5)', async () => {
    const before = await settled();
    const shown = before.node('charlie').published.get('evidence') ?? assert.fail();
    const replayed = (message: Message): Message => ({ ...message, payload: shown });
    const world = tampered(new World(bench, { records: recordsOf(before) }), 'evidence', replayed);
    world.nowMs += LIMITS.beaconAgeMaxMs + LIMITS.clockSkewMaxMs + 60_000;
    await world.settle();
    assert.deepEqual(doubts(world), ['no-evidence-yet', 'no-evidence-yet']);
  });
  test("not for another's evidence, nor for its own about another operational key (§3.6)", async () => {
    const honest = await settled();
    const others = honest.node('bravo').published.get('evidence') ?? assert.fail();
    const shown = (change: (own: Uint8Array) => Uint8Array) =>
      settled({}, 'evidence', (message) => ({ ...message, payload: change(message.payload) }));
    assert.deepEqual(doubts(await shown(() => others)), ['evidence-of-other-node', 'evidence-of-other-node']);
    const keyOfAnother = (own: Uint8Array): Uint8Array => {
      const decoded = decodeStrict(DeviceEvidence, own, LIMITS.evidenceBytesMax);
      assert.ok(decoded.status === 'decoded');
      return encodeDeviceEvidence({ ...decoded.value, operationalKey: another.operationalKey });
    };
    assert.deepEqual(doubts(await shown(keyOfAnother)), ['quote-other-qualifying-data', 'quote-other-qualifying-data']);
  });
  test('not when it has fallen silent since (§3.8)', async () => {
    const world = await settled();
    world.tamper = (message) => (message.from === 'charlie' ? undefined : message);
    await world.pass(LIMITS.beaconAgeMaxMs + 1_000, ['charlie']);
    assert.deepEqual(doubts(world), ['nothing-heard', 'nothing-heard']);
  });
});

/** What becomes of an application with this card. */
function applied(shown: Uint8Array, of: Network = network, timeMs: number = Date.now() + 60_000): string {
  const context = { network: of, networkId: networkId(of), crypto };
  const place = { context, height: 1, timeMs, branch: { ancestorAt: () => undefined } };
  const outcome = applyTransaction(genesisPosition(context).state, encodeTransaction({ kind: 'application', card: shown }), place);
  return outcome.status === 'refused' ? outcome.reason : outcome.status;
}

/** A chip that shows other public keys than its own. */
function posing(identity: Identity, shown: Partial<Identity['keys']>): Identity {
  return {
    keys: { ...identity.keys, ...shown },
    vrfKey: identity.vrfKey,
    ask: identity.ask.bind(identity),
    applyVrfKey: identity.applyVrfKey.bind(identity),
    rememberVrfKey: identity.rememberVrfKey.bind(identity),
  } as unknown as Identity;
}

function founding(): Parameters<typeof forgedCard>[1] {
  return { salt, authorities: network.genesis.endorsementAuthorities, crypto, atMs: Date.now() + 60_000 };
}

function memberIn(encoded: Uint8Array): Member {
  const decoded = decodeStrict(MemberCard, encoded, LIMITS.signedBytesMax);
  assert.ok(decoded.status === 'decoded');
  return decoded.value.member;
}

/** What alpha and bravo have against charlie. */
function doubts(world: World): string[] {
  return ['alpha', 'bravo'].map((name) => {
    const verification = verificationOf(world.node(name).state, memberDigest(memberIn(card)));
    return verification.status === 'unverified' ? verification.reason : verification.status;
  });
}

/** @param change of what charlie says of this kind */
async function settled(
  changes: ConstructorParameters<typeof World>[1] = {},
  kind?: Message['kind'],
  change?: (message: Message) => Message,
): Promise<World> {
  const world = new World(bench, changes);
  if (kind && change) tampered(world, kind, change);
  await world.settle();
  return world;
}

function tampered(world: World, kind: Message['kind'], change: (message: Message) => Message): World {
  world.tamper = (message) => (message.from === 'charlie' && message.kind === kind ? change(message) : message);
  return world;
}

function recordsOf(world: World): Map<string, AttestationRecord> {
  return new Map([...world.nodes].map(([name, { record }]) => [name, record]));
}
