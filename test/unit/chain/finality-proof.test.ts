/**
 * Proofs of finality by software chips, judged from a network file. threats.md, "Consensus": long-range history, membership
 * shrinking on a private fork, replayed votes, an operational key that lives elsewhere. Specification §13.6.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { encodeHeader } from '#protocol/chain/block.ts';
import { decodeBulk, decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, domainDigest } from '#protocol/digest.ts';
import { FinalityProof, judgeFinalityProof } from '#protocol/chain/finality-proof.ts';
import { Action, decodeTransaction, transactionId } from '#protocol/chain/transaction.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import { gridNetworkFile, gridReceipt, networkFrom } from '../protocol/workshop.ts';
import {
  blockWith,
  certificateOf,
  changeTo,
  chips,
  crypto,
  founded,
  founders,
  newcomer,
  proofOf,
  proofWith,
  networkIdentity,
  transactions,
  type ProofChanges,
} from './proof-workshop.ts';

function outcome(encoded: Uint8Array): string {
  const verdict = judgeFinalityProof(encoded, { network: founded, crypto });
  return verdict.status === 'accepted' ? 'accepted' : verdict.reason;
}

const changed = (changes: ProofChanges): string => outcome(proofWith(changes));

/** The proof with something else in it. */
function rewritten(change: (proof: FinalityProof) => FinalityProof, encoded = proofOf()): string {
  const decoded = decodeStrict(FinalityProof, encoded, LIMITS.finalityProofBytesMax);
  assert.ok(decoded.status === 'decoded');
  return outcome(encodeStrict(FinalityProof, change(decoded.value)));
}

test('a proof shows transaction, chain time, height, checkpoint, voters and keys (§13.6)', () => {
  const verdict = judgeFinalityProof(proofOf(), { network: founded, crypto });
  assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
  assert.deepEqual(verdict.transaction, transactions[1]);
  assert.deepEqual([verdict.timeMs, verdict.height, verdict.checkpoint.number, verdict.checkpoint.height], [10_000, 10, 3, 12]);
  assert.equal(verdict.voters, 4);
  assert.deepEqual(
    verdict.votes.map(({ name, operationalKey }) => [name, operationalKey.toHex()]),
    founders.slice(0, 3).map((chip) => [chip.name, chip.operationalKey.toHex()]),
  );
});

test('a proof of a network of four has about 5 KiB, and at most 72 with all blocks that it can have (§13.6)', () => {
  const short = proofWith({ blocks: 1 }).length;
  const long = proofWith({ blocks: LIMITS.checkpointStepMax }).length;
  assert.equal(changed({ blocks: LIMITS.checkpointStepMax }), 'accepted');
  assert.ok(short < 6 * 1024, `${short} bytes with one block`);
  assert.ok(long < 72 * 1024, `${long} bytes with ${LIMITS.checkpointStepMax} blocks`);
});

describe('a proof by devices of npm start (test/vectors/receipt)', () => {
  const kept = new Uint8Array(readFileSync(new URL('../../vectors/receipt/finality.cbor', import.meta.url)));
  const news = decodeBulk(FinalityNews, kept, kept.length);
  const encoded = news.status === 'decoded' && news.value.finality === 'final' ? news.value.proof : new Uint8Array();
  const grid = networkFrom(gridNetworkFile);

  test('it shows the receipt that stands beside it, in a browser too (§13.6)', () => {
    const verdict = judgeFinalityProof(encoded, { network: grid, crypto });
    assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
    const transaction = decodeTransaction(verdict.transaction);
    assert.ok(transaction.status === 'decoded' && transaction.value.kind === 'signed');
    const action = decodeStrict(Action, transaction.value.body, LIMITS.signedBytesMax);
    assert.ok(action.status === 'decoded' && action.value.action === 'receipt');
    assert.deepEqual(action.value.receipt, domainDigest('receipt', gridReceipt));
    assert.deepEqual(judgeFinalityProof(encoded, { network: grid, crypto: nobleCrypto }), verdict);
  });

  test('a bit changed anywhere in it shows nothing else (§13.6)', () => {
    const good = judgeFinalityProof(encoded, { network: grid, crypto });
    for (let at = 0; at < encoded.length; at += 7) {
      const verdict = judgeFinalityProof(encoded.with(at, encoded[at]! ^ 2), { network: grid, crypto });
      if (verdict.status === 'accepted') assert.deepEqual(verdict, good, `byte ${at}`);
    }
  });
});

describe('the transaction', () => {
  test('another transaction, place or path is refused (§13.6)', () => {
    assert.equal(
      rewritten((proof) => ({ ...proof, transaction: transactions[0]! })),
      'not-in-block',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, index: 0 })),
      'not-in-block',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, size: 1 })),
      'not-in-block',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, path: [] })),
      'not-in-block',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, path: proof.path.map((digest) => blobDigest(digest)) })),
      'not-in-block',
    );
    assert.equal(transactionId(transactions[1]!).length, 32);
  });

  test('a proof of a block without it has no such place (§13.6)', () => {
    assert.throws(() => proofWith({ index: 3 }), RangeError);
  });
});

describe('the blocks', () => {
  test('a block of the branch that is left out, twice there, or in another order is refused (§13.6)', () => {
    assert.equal(
      rewritten((proof) => ({ ...proof, blocks: [proof.blocks[0]!, proof.blocks[2]!] })),
      'blocks-not-linked',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, blocks: [proof.blocks[0]!, proof.blocks[0]!] })),
      'blocks-not-linked',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, blocks: proof.blocks.toReversed() })),
      'blocks-not-linked',
    );
  });

  test('a block with a changed header or end certificate has another id (§11.1)', () => {
    const last = (proof: FinalityProof) => proof.blocks.at(-1)!;
    const signature = new Uint8Array(64);
    assert.equal(
      rewritten((proof) => ({
        ...proof,
        blocks: [...proof.blocks.slice(0, -1), { ...last(proof), end: { ...last(proof).end, signature } }],
      })),
      'other-checkpoint',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, blocks: [{ ...proof.blocks[0]!, end: last(proof).end }, ...proof.blocks.slice(1)] })),
      'blocks-not-linked',
    );
  });

  test('a checkpoint that is not the last block, or of another height, is refused (§13.6)', () => {
    assert.equal(
      rewritten((proof) => ({ ...proof, blocks: proof.blocks.slice(0, 2) })),
      'other-checkpoint',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, certificate: { ...proof.certificate, height: 13 } })),
      'other-checkpoint',
    );
  });

  test('a block of another network is refused (§13.6)', () => {
    const header = encodeHeader({ ...blockWith(10).header, network: blobDigest(networkIdentity) });
    assert.equal(
      rewritten((proof) => ({ ...proof, blocks: [{ ...proof.blocks[0]!, header }, ...proof.blocks.slice(1)] })),
      'other-network',
    );
  });

  test('bytes that are no proof, or more than one may have, are refused (§13.6)', () => {
    assert.equal(outcome(new Uint8Array()), 'malformed');
    assert.equal(outcome(proofOf().slice(0, -1)), 'malformed');
    assert.equal(outcome(Uint8Array.of(...proofOf(), 0)), 'malformed');
    assert.equal(outcome(new Uint8Array(LIMITS.finalityProofBytesMax + 1)), 'malformed');
    const junk = { header: new Uint8Array(8), end: blockWith(10).end };
    assert.equal(
      rewritten((proof) => ({ ...proof, blocks: [junk, ...proof.blocks.slice(1)] })),
      'malformed',
    );
  });
});

describe('the votes', () => {
  test('less than a quorum of the founders is refused (§13.6)', () => {
    assert.equal(changed({ voters: founders.slice(0, 2) }), 'certificate-no-quorum');
  });

  test('votes of chips that have no seat are refused, though they have vouchers (§13.6)', () => {
    assert.equal(changed({ voters: [...founders.slice(0, 2), newcomer] }), 'certificate-not-a-voter');
  });

  test('votes for another block, number or network are refused: replayed (§13.6)', () => {
    const { block } = certificateOf(blockWith(9), 3, founders.slice(0, 3));
    assert.equal(
      rewritten((proof) => ({ ...proof, certificate: { ...proof.certificate, number: 4 } })),
      'certificate-signature-wrong',
    );
    assert.equal(
      rewritten((proof) => ({ ...proof, certificate: { ...proof.certificate, previous: block } })),
      'certificate-signature-wrong',
    );
    const other = { ...founded, genesis: { ...founded.genesis, name: 'other' } };
    const verdict = judgeFinalityProof(proofOf(), { network: other, crypto });
    assert.ok(verdict.status === 'refused' && verdict.reason === 'other-network');
  });

  test('a key without a voucher, or with one that its chip did not make, is refused: it may live elsewhere (§13.6)', () => {
    assert.equal(
      rewritten((proof) => ({ ...proof, vouchers: proof.vouchers.slice(1) })),
      'voucher-refused',
    );
    const [first] = founders;
    const stolen = newcomer.makeVoucher(networkIdentity, { operationalKey: first!.operationalKey });
    assert.equal(
      rewritten((proof) => ({ ...proof, vouchers: [{ ...stolen, node: first!.node }, ...proof.vouchers.slice(1)] })),
      'voucher-refused',
    );
    const foreign = first!.makeVoucher(blobDigest(networkIdentity));
    assert.equal(
      rewritten((proof) => ({ ...proof, vouchers: [foreign, ...proof.vouchers.slice(1)] })),
      'voucher-refused',
    );
  });
});

describe('seats that have changed', () => {
  const joined = [...founders, newcomer].toSorted(byNode);

  test('votes of a newcomer count once a checkpoint is shown that gave it its seat (§13.6)', () => {
    const change = changeTo(joined, { number: 2, height: 5, voters: founders.slice(0, 3) });
    const voters = [...founders.slice(1), newcomer].toSorted(byNode);
    assert.equal(changed({ voters, changes: [change] }), 'accepted');
    assert.equal(changed({ voters }), 'certificate-not-a-voter');
  });

  test('a quorum of the founders is none of a network that has grown: three of five (§13.6)', () => {
    const change = changeTo(joined, { number: 2, height: 5, voters: founders.slice(0, 3) });
    assert.equal(changed({ voters: founders.slice(0, 3), changes: [change] }), 'certificate-no-quorum');
  });

  test('seats that shrink on a private fork need a quorum of those before: one can’t give itself the network (§13.5)', () => {
    const [lone] = founders;
    const alone = { number: 2, height: 5, voters: [lone!] };
    assert.equal(changed({ voters: [lone!], changes: [changeTo([lone!], alone)] }), 'certificate-no-quorum');
    const shrunk = changeTo([lone!], { number: 2, height: 5, voters: founders.slice(0, 3) });
    assert.equal(changed({ voters: [lone!], changes: [shrunk] }), 'accepted', 'with a quorum it may');
  });

  test('a change whose state is not that of its block is refused (§13.6)', () => {
    const [change, other] = [joined, founders].map((seats) => changeTo(seats, { number: 2, height: 5, voters: founders.slice(0, 3) }));
    assert.equal(changed({ changes: [{ ...change!, state: other!.state }] }), 'state-not-shown');
    assert.equal(changed({ changes: [{ ...change!, block: other!.block }] }), 'other-checkpoint');
    assert.equal(changed({ changes: [{ ...change!, certificate: other!.certificate }] }), 'other-checkpoint');
  });

  test('a newcomer without a card in the proof has no key that counts (§13.6)', () => {
    const change = changeTo(joined, { number: 2, height: 5, voters: founders.slice(0, 3) });
    const voters = [...founders.slice(1), newcomer].toSorted(byNode);
    assert.equal(changed({ voters, changes: [{ ...change, state: { ...change.state, members: [] } }] }), 'voucher-refused');
  });

  test('changes come in the order of numbers and heights, below the checkpoint (§13.6)', () => {
    const quorum = founders.slice(0, 3);
    const [first, second] = [
      changeTo(founders, { number: 1, height: 4, voters: quorum }),
      changeTo(founders, { number: 2, height: 5, voters: quorum }),
    ];
    assert.equal(changed({ changes: [first, second] }), 'checkpoints-not-in-order', 'its previous is another one');
    const linked = changeTo(founders, { number: 2, height: 5, voters: quorum, previous: first.certificate.block });
    assert.equal(changed({ changes: [first, linked] }), 'accepted');
    assert.equal(changed({ changes: [linked, first] }), 'checkpoints-not-in-order');
    assert.equal(changed({ changes: [changeTo(founders, { number: 3, height: 5, voters: quorum })] }), 'checkpoints-not-in-order');
    assert.equal(changed({ changes: [changeTo(founders, { number: 2, height: 12, voters: quorum })] }), 'checkpoints-not-in-order');
  });

  test('a network with a drawn committee has no such proof (§13.6)', () => {
    const many = Array.from({ length: LIMITS.votersMax + 1 }, (_, index) => blobDigest(Uint8Array.of(index)));
    const change = changeTo(
      many.map((node) => ({ node })),
      { number: 2, height: 5, voters: founders.slice(0, 3) },
    );
    assert.equal(changed({ changes: [change] }), 'too-many-seats');
  });

  test('all chips of this test differ', () => {
    assert.equal(new Set(chips.map(({ node }) => node.toHex())).size, chips.length);
  });
});

function byNode(left: { node: Uint8Array }, right: { node: Uint8Array }): number {
  return left.node.toHex() < right.node.toHex() ? -1 : 1;
}
