/**
 * The chain against the vectors of a second implementation that was written from protocol/README.md alone (test/vectors/chain), and
 * that implementation against them. Specification §7.2, §11 to §13, §15.2.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Ballot, BallotMessage } from '#protocol/chain/ballot.ts';
import { blockId, encodeBlock, encodeHeader, Header, readBlock, TimeCertificate } from '#protocol/chain/block.ts';
import { drawAlpha } from '#protocol/chain/elapsed-draw.ts';
import { emptyGathering, gather, nextSeed } from '#protocol/chain/epoch-seed.ts';
import { judgeFinalityProof } from '#protocol/chain/finality-proof.ts';
import { inclusionPath, judgeInclusion, merkleRoot } from '#protocol/chain/merkle.ts';
import {
  admissionCommittee,
  boxDraw,
  boxOrder,
  checkpointInstance,
  isFitting,
  memberOrder,
  proposerOf,
  votersOf,
} from '#protocol/chain/public-draw.ts';
import { judgesOf } from '#protocol/chain/judges.ts';
import { signAction } from '#protocol/chain/signed-action.ts';
import { decodeState, encodeState } from '#protocol/chain/state-encoding.ts';
import { stateRoot } from '#protocol/chain/state-root.ts';
import { Action, transactionId, type OfferedBox } from '#protocol/chain/transaction.ts';
import { challengeAlpha, isPlanted, momentAlpha, momentHeight } from '#protocol/chain/trust-slots.ts';
import { type SlotDraw } from '#protocol/chain/trust-state.ts';
import { VerdictBallotMessage, verdictInstance, verdictValue, type VerdictWord } from '#protocol/chain/verdict.ts';
import { voucherQualifier } from '#protocol/chain/voucher.ts';
import { endQualifier, startQualifier } from '#protocol/chain/wait-certificate.ts';
import { capsuleIdOf } from '#protocol/capsule.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { blobDigest, domainDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { type MemberEvidence, memberEvidenceDigest, memberEvidenceQualifier } from '#protocol/member-evidence.ts';
import { Network, networkId } from '#protocol/network.ts';
import type { Schema } from '#protocol/schema.ts';
import { signingInput } from '#protocol/signed.ts';
import type { TrustLevel } from '#protocol/trust-level.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { genesisPosition } from '../../../device/ledger/genesis.ts';
import { createLedger } from '../../../device/ledger/ledger.ts';
import { proposerOf as proposerByWeight } from '../../../device/votes/proposer.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { trustStep } from '../ledger/trust-steps.ts';
import type { Trusting } from '../ledger/trust-workshop.ts';
import {
  declarations,
  readProofs,
  readReplay,
  readTrust,
  readVectors,
  secondImplementation,
  wordsOf,
  type Vector,
  type Words,
} from './vectors.ts';

const crypto = createNodeCrypto();
const vectors = readVectors();

/** The case's hexadecimal field. */
const bytesOf = (given: Words, name: string): Uint8Array => Uint8Array.fromHex(String(given[name]));
const numberOf = (given: Words, name: string): number => Number(given[name]);

/** As vectors.py makes them: SHA-256 of "what index". */
function wordsNamed(what: string, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => blobDigest(new TextEncoder().encode(`${what} ${index}`)));
}

/** The value of strict bytes, which must have the vector's words and this one form. */
function valueOf<T>(schema: Schema<T>, encoded: Uint8Array, words: unknown): T {
  const decoded = decodeStrict(schema, encoded, LIMITS.stateBytesMax);
  assert.ok(decoded.status === 'decoded', decoded.status === 'malformed' ? decoded.detail : '');
  assert.deepEqual(wordsOf(decoded.value), words);
  assert.equal(hex(encodeStrict(schema, decoded.value)), hex(encoded));
  return decoded.value;
}

function casesOf(section: string): readonly Vector[] {
  const cases = vectors[section] ?? [];
  assert.ok(cases.length > 0, `no vectors of ${section}`);
  return cases;
}

test('each structure has one form (§2.1, §11 to §14)', () => {
  for (const { given, expected } of casesOf('structure')) {
    const schema = declarations[String(given['rule'])];
    assert.ok(schema, String(given['rule']));
    valueOf(schema, bytesOf(expected, 'encoded'), given['value']);
  }
});

test('block ids, transaction ids and roots of lists (§11.1, §11.3)', () => {
  for (const { given, expected } of casesOf('block')) {
    const read = readBlock(bytesOf(expected, 'encoded'));
    assert.ok(read.status === 'decoded');
    const { id, header, headerBytes, end, transactions } = read.value;
    assert.deepEqual([wordsOf(header), wordsOf(end), wordsOf(transactions)], [given['header'], given['end'], given['transactions']]);
    valueOf(Header, encodeHeader(header), given['header']);
    valueOf(TimeCertificate, encodeStrict(TimeCertificate, end), given['end']);
    assert.equal(hex(encodeBlock({ header: headerBytes, end, transactions: [...transactions] })), expected['encoded']);
    const found = {
      ...{ encoded: expected['encoded'], headerDigest: hex(domainDigest('block-header', headerBytes)), id: hex(blockId(headerBytes, end)) },
      ...{ transactionIds: transactions.map((one) => hex(transactionId(one))), endQualifier: hex(endQualifier(headerBytes)) },
      merkleRoot: hex(merkleRoot(transactions.map(transactionId))),
    };
    assert.deepEqual(found, expected);
    assert.equal(hex(id), expected['id']);
  }
});

test('Merkle trees and paths (§11.3)', () => {
  for (const { given, expected } of casesOf('merkle')) {
    const [size, index] = [numberOf(given, 'ids'), numberOf(given, 'index')];
    const ids = wordsNamed('id', size);
    const path = size > 0 ? inclusionPath(ids, index) : [];
    assert.deepEqual({ root: hex(merkleRoot(ids)), path: path.map(hex) }, expected);
    if (size > 0) assert.equal(judgeInclusion(ids[index]!, index, size, path, merkleRoot(ids)).status, 'accepted');
  }
});

test('roots of states and the form in which they travel (§11.4)', () => {
  for (const { given, expected } of casesOf('state')) {
    const encoded = bytesOf(expected, 'encoded');
    const decoded = decodeState(encoded, bytesOf(expected, 'root'));
    assert.ok(decoded.status === 'decoded', decoded.status === 'malformed' ? decoded.detail : '');
    const { core, members, boxes, capsules } = decoded.value;
    assert.equal(hex(stateRoot(decoded.value)), expected['root']);
    assert.equal(hex(encodeState(decoded.value)), expected['encoded']);
    const shown = { core, members: [...members.values()], boxes: [...boxes.values()], capsules: [...capsules.values()] };
    assert.deepEqual(wordsOf(shown), given['state']);
  }
});

test('network id, first seed, genesis state and genesis block (§4.1, §11.1, §11.4, §12.1)', () => {
  for (const { given, expected } of casesOf('genesis')) {
    const network = valueOf(Network, bytesOf(expected, 'encoded'), given['network']);
    const identity = networkId(network);
    const { id, state } = genesisPosition({ network, networkId: identity, crypto });
    const found = { networkId: hex(identity), seed: hex(state.core.epoch.seed), block: hex(id), stateRoot: hex(stateRoot(state)) };
    assert.deepEqual({ encoded: expected['encoded'], ...found }, expected);
  }
});

test('seeds of epochs (§12.1)', () => {
  for (const { given, expected } of casesOf('seed')) {
    const gathered = (given['outputs'] as string[]).map((output) => Uint8Array.fromHex(output)).reduce(gather, emptyGathering);
    assert.equal(hex(nextSeed(bytesOf(given, 'previous'), gathered)), expected['seed']);
  }
});

test('what draws, start certificates and vouchers are about (§11.3, §12.2, §12.3)', () => {
  for (const { given, expected } of casesOf('wait')) {
    const [network, parent, node] = [bytesOf(given, 'network'), bytesOf(given, 'parent'), bytesOf(given, 'node')];
    const height = numberOf(given, 'height');
    const found = {
      drawAlpha: hex(drawAlpha(network, bytesOf(given, 'seed'), height)),
      startQualifier: hex(startQualifier({ network, parent, node, height })),
      voucherQualifier: hex(voucherQualifier(network, node, bytesOf(given, 'operationalKey'))),
    };
    assert.deepEqual(found, expected);
  }
});

test('proposers, in the judgement of proofs and in the votes (§13.3)', () => {
  for (const { given, expected } of casesOf('proposer')) {
    const voters = wordsNamed('voter', numberOf(given, 'voters')).toSorted((left, right) => (hex(left) < hex(right) ? -1 : 1));
    const weights = new Map(voters.map((voter) => [hex(voter), 1]));
    const [instance, rounds] = [bytesOf(given, 'instance'), given['rounds'] as number[]];
    assert.deepEqual({ proposers: rounds.map((round) => hex(proposerOf(instance, round, voters))) }, expected);
    assert.deepEqual({ proposers: rounds.map((round) => proposerByWeight(instance, { weights, total: voters.length }, round)) }, expected);
  }
});

test('committees: all seats up to 400, then 400 that are drawn (§13.1)', () => {
  for (const { given, expected } of casesOf('committee')) {
    const seats = wordsNamed('seat', numberOf(given, 'seats')).toSorted((left, right) => (hex(left) < hex(right) ? -1 : 1));
    const voters = votersOf(bytesOf(given, 'network'), bytesOf(given, 'seed'), numberOf(given, 'number'), seats);
    const digest = hex(blobDigest(Uint8Array.from(voters.flatMap((voter) => [...voter]))));
    assert.deepEqual({ count: voters.length, digest, first: voters.slice(0, 3).map(hex) }, expected);
  }
});

test('who admits newcomers: all seats up to 64, then 64 that are drawn for an epoch (§11.5)', () => {
  for (const { given, expected } of casesOf('admission')) {
    const seats = wordsNamed('seat', numberOf(given, 'seats')).toSorted((left, right) => (hex(left) < hex(right) ? -1 : 1));
    const epoch = { number: numberOf(given, 'epoch'), seed: bytesOf(given, 'seed') };
    const drawn = admissionCommittee(bytesOf(given, 'network'), epoch, seats);
    const digest = hex(blobDigest(Uint8Array.from(drawn.flatMap((node) => [...node]))));
    assert.deepEqual({ count: drawn.length, digest, first: drawn.slice(0, 3).map(hex) }, expected);
  }
});

test('moments of members, and planted slots (§18.1, §18.7)', () => {
  for (const { given, expected } of casesOf('slot')) {
    const [network, output, slot] = [bytesOf(given, 'network'), bytesOf(given, 'output'), numberOf(given, 'slot')];
    const drawn = { slot, seed: bytesOf(given, 'seed') };
    const found = {
      moment: { alpha: hex(momentAlpha(network, drawn)), height: momentHeight(output, slot, numberOf(given, 'slotHeights')) },
      challenge: { alpha: hex(challengeAlpha(network, drawn)), planted: isPlanted(output, numberOf(given, 'plantedOneIn')) },
    };
    assert.deepEqual(found, expected);
  }
});

test('judges and their weights: drawn ones, or all seats up to 400 (§18.3)', () => {
  for (const { given, expected } of casesOf('judges')) {
    const draw = given['draw'] as Record<string, unknown>;
    const seats = (draw['seats'] as string[]).map((seat) => Uint8Array.fromHex(seat));
    const read: SlotDraw = { slot: numberOf(draw, 'slot'), seed: bytesOf(draw, 'seed'), seats, weights: bytesOf(draw, 'weights') };
    const about = { subject: bytesOf(given, 'subject'), slot: read.slot, level: numberOf(given, 'level') };
    const { weights, total } = judgesOf(bytesOf(given, 'network'), read, about, numberOf(given, 'judges'));
    assert.deepEqual({ weights: Object.fromEntries(weights), total }, expected);
  }
});

test('what verdicts are about, and how evidence is named (§18.2, §18.5, §20.1)', () => {
  for (const { given, expected } of casesOf('verdict')) {
    const [network, subject] = [bytesOf(given, 'network'), bytesOf(given, 'subject')];
    const evidence = evidenceOf(given['evidence'] as Words);
    const digest = memberEvidenceDigest(evidence);
    const instance = verdictInstance(network, { subject, slot: numberOf(given, 'slot'), level: numberOf(given, 'level') });
    const value = verdictValue(given['word'] as VerdictWord, digest);
    const ballot = { network, instance, round: 3, step: 'precommit' as const, value, node: blobDigest(new TextEncoder().encode('node 1')) };
    const found = {
      evidence: hex(digest),
      qualifier: hex(memberEvidenceQualifier(network, subject, evidence)),
      signingInput: hex(signingInput(VerdictBallotMessage.domain, encodeStrict(VerdictBallotMessage.body, ballot))),
      ...{ instance: hex(instance), value: hex(value) },
    };
    assert.deepEqual(found, expected);
  }
});

function evidenceOf(words: Words): MemberEvidence {
  const { checkpoint, pcrs, eventLog } = words as Record<string, Words>;
  return {
    checkpoint: { number: numberOf(checkpoint!, 'number'), block: bytesOf(checkpoint!, 'block') },
    ...{
      operationalKey: bytesOf(words, 'operationalKey'),
      quote: bytesOf(words, 'quote'),
      quoteSignature: bytesOf(words, 'quoteSignature'),
    },
    pcrs: { pcr8: bytesOf(pcrs!, 'pcr8'), pcr14: bytesOf(pcrs!, 'pcr14') },
    eventLog: (eventLog as unknown as MemberEvidence['eventLog']).map(({ kind, digest }) => ({
      kind,
      digest: Uint8Array.fromHex(String(digest)),
    })),
  };
}

test('a branch with evidence, verdicts, an appeal, a reveal, a seat lost and regained, a judge expelled comes to the roots of the second implementation (§18, §19)', () => {
  const { network: encoded, steps } = readTrust();
  const network = decodeStrict(Network, Uint8Array.fromHex(encoded), LIMITS.networkBytesMax);
  assert.ok(network.status === 'decoded');
  const context = { network: network.value, networkId: networkId(network.value), crypto: stubCrypto };
  let world: Trusting = { context, members: [], height: 0, state: genesisPosition(context).state };
  for (const { root, ...step } of steps) {
    world = trustStep(world, step);
    assert.equal(hex(stateRoot(world.state)), root);
  }
  assert.ok(steps.length > 90);
});

test('which member, and which of its boxes, is drawn first (§15.2)', () => {
  for (const { given, expected } of casesOf('boxes')) {
    const [capsule, attempt] = [String(given['capsule']), numberOf(given, 'attempt')];
    const draw = boxDraw(bytesOf(given, 'first'), bytesOf(given, 'second'));
    const members = memberOrder(draw, capsule, attempt, wordsNamed('node', numberOf(given, 'nodes')));
    const offered = (given['boxes'] as string[]).map((box) => ({ node: members[0]!, box }));
    const order = boxOrder(draw, capsule, attempt, offered).map(({ box }) => box);
    assert.deepEqual({ draw: hex(draw), members: members.map(hex), boxes: order }, expected);
  }
});

test('which offered boxes may run a capsule: those with its runtime and at least its trust (§15.2)', () => {
  for (const { given, expected } of casesOf('fitting')) {
    const asked = { runtime: String(given['runtime']), trust: given['trust'] as TrustLevel };
    const fitting = (given['boxes'] as OfferedBox[]).filter((box) => isFitting(box, asked));
    assert.deepEqual({ fitting: fitting.map(({ name }) => name) }, expected);
  }
});

test('instances, and what a ballot’s signature covers (§13.1, §13.2)', () => {
  for (const { given, expected } of casesOf('ballot')) {
    const [network, node] = [bytesOf(given, 'network'), bytesOf(given, 'node')];
    const instance = checkpointInstance(network, numberOf(given, 'number'), bytesOf(given, 'previous'));
    const value = given['value'] === undefined ? {} : { value: bytesOf(given, 'value') };
    const step = given['step'] === 'prevote' ? 'prevote' : 'precommit';
    const body = encodeStrict(Ballot, { network, instance, round: numberOf(given, 'round'), step, ...value, node });
    assert.deepEqual({ instance: hex(instance), signingInput: hex(signingInput(BallotMessage.domain, body)) }, expected);
  }
});

test('what the signature of an action covers (§11.3)', () => {
  for (const { given, expected } of casesOf('action')) {
    const action = valueOf(Action, bytesOf(expected, 'body'), given['action']);
    const signed: string[] = [];
    const sign = (input: Uint8Array): Uint8Array => {
      signed.push(hex(input));
      return new Uint8Array(64);
    };
    signAction(bytesOf(given, 'network'), { by: bytesOf(given, 'by'), key: new Uint8Array(32) }, action, sign);
    assert.deepEqual(signed, [expected['signingInput']]);
  }
});

test('capsule ids (§7.2)', () => {
  for (const { given, expected } of casesOf('capsule')) {
    const [network, request, capsule] = [bytesOf(given, 'network'), bytesOf(given, 'request'), bytesOf(given, 'digest')];
    const id = capsuleIdOf({ network, device: String(given['device']), client: String(given['client']), request, capsule });
    assert.equal(id, expected['id']);
  }
});

test('a chain of blocks that change seats, keys, boxes and seeds (§11.4, §12.1, §12.2)', () => {
  const { network: file, blocks, head } = readReplay();
  const network = decodeStrict(Network, Uint8Array.fromHex(file), LIMITS.networkBytesMax);
  assert.ok(network.status === 'decoded');
  const ledger = createLedger({ network: network.value, networkId: networkId(network.value), crypto: stubCrypto });
  const positions = [ledger.genesis()];
  for (const encoded of blocks) {
    const read = readBlock(Uint8Array.fromHex(encoded));
    assert.ok(read.status === 'decoded');
    const verdict = ledger.judgeBlock(read.value, positions.at(-1)!, { ancestorAt: (height) => positions[height]?.id });
    assert.ok(verdict.status === 'accepted', verdict.status === 'refused' ? `${verdict.reason}: ${verdict.detail}` : '');
    positions.push(verdict.position);
  }
  assert.equal(hex(positions.at(-1)!.id), head);
  assert.ok(positions.length > 50);
});

describe('proofs of finality', () => {
  const { networks, cases } = readProofs();

  for (const { name, network: file, proof, expected } of cases) {
    test(`${name}: ${String(expected['verdict'])} (§13.6)`, () => {
      const network = decodeStrict(Network, Uint8Array.fromHex(networks[file] ?? ''), LIMITS.networkBytesMax);
      assert.ok(network.status === 'decoded');
      const verdict = judgeFinalityProof(Uint8Array.fromHex(proof), { network: network.value, crypto });
      if (verdict.status === 'refused') {
        assert.equal(verdict.reason, expected['verdict'], verdict.detail);
        return;
      }
      const { timeMs, height, block, checkpoint, voters } = verdict;
      const found = { transaction: transactionId(verdict.transaction), timeMs, height, block, checkpoint, voters };
      assert.deepEqual({ verdict: 'accepted', ...(wordsOf(found) as object), votes: verdict.votes.map(({ node }) => hex(node)) }, expected);
    });
  }
});

test('the second implementation comes to the same, proofs included (§11 to §15)', (context) => {
  const run = secondImplementation('check');
  if (!run) context.skip('python3 is not here');
  else assert.equal(run.status, 0, run.output);
});
