/** What is believed of an anchor's file, given the digest on layer 1, and of a receipt under it or above. Specification §20.10. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { judgeCheckpointProof } from '#protocol/chain/checkpoint-proof.ts';
import { FinalityProof } from '#protocol/chain/finality-proof.ts';
import { proveState } from '#protocol/chain/state-root.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { judgeAnchorFile, type AnchorFile, type TrustedAnchor } from '#protocol/layer1/anchor-file.ts';
import { judgeAnchoredReceipt, type ShownReceipt } from '#protocol/layer1/anchored-receipt.ts';
import { LIMITS } from '#protocol/limits.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import { peekSigned } from '#protocol/signed.ts';
import { founders } from '../chain/proof-workshop.ts';
import { network as judging, proofOf, stateJudging, subject, trustWith } from '../protocol/judged-member.ts';
import { crypto, gridReceipt } from '../protocol/workshop.ts';
import { anchoredAt, encoded, foundersFile, grid, gridProof } from './anchored.ts';

function outcome(file: AnchorFile, digest = encoded(file).digest): string {
  const verdict = judgeAnchorFile(encoded(file).bytes, digest);
  return verdict.status === 'refused' ? verdict.reason : verdict.status;
}

function trusted(file: AnchorFile): TrustedAnchor {
  const verdict = judgeAnchorFile(encoded(file).bytes, encoded(file).digest);
  assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
  return verdict;
}

describe('an anchor of a checkpoint', () => {
  const { file, state } = anchoredAt();
  assert.ok(file.seats.of === 'checkpoint');
  const { seats } = file;

  test('shows block id, seats with their cards, and the state (§20.10)', () => {
    const { start, network, state: proven } = trusted(file);
    assert.deepEqual([start.number, start.height, start.block], [5, 112, file.header.blockId]);
    assert.deepEqual(
      start.nodes.map(hex),
      founders.map(({ node }) => hex(node)),
    );
    assert.deepEqual(network.members.map(({ name }) => name).toSorted(), founders.map(({ name }) => name).toSorted());
    assert.deepEqual(proven?.core, state.core);
    assert.equal(proven.members.find(({ member }) => member.name === subject.name)?.trust?.word, 'trusted');
  });

  test('another digest, chain, contract or network is refused (§20.10)', () => {
    const { digest } = encoded(file);
    assert.equal(outcome(file, blobDigest(digest)), 'other-anchor');
    for (const place of [{ chainId: 1 }, { anchors: new Uint8Array(20) }, { network: new Uint8Array(32) }])
      assert.equal(outcome({ ...file, place: { ...file.place, ...place } }, digest), 'other-anchor');
    assert.equal(outcome({ ...file, genesis: { ...judging.genesis, name: 'others' } }), 'other-network');
  });

  test('another block, state or fewer seats are refused (§20.10)', () => {
    const other = { ...seats, block: { ...seats.block, end: { ...seats.block.end, signature: new Uint8Array(64) } } };
    assert.equal(outcome({ ...file, seats: other }), 'other-checkpoint');
    assert.equal(outcome({ ...file, header: { ...file.header, height: 113 } }), 'other-checkpoint');
    const credit = proveState(stateJudging(trustWith({ credit: 999 })), [subject.node]);
    assert.equal(outcome({ ...file, seats: { ...seats, state: credit } }), 'state-not-shown');
    const some = proveState(
      state,
      founders.slice(1).map(({ node }) => node),
    );
    assert.equal(outcome({ ...file, seats: { ...seats, state: some } }), 'seats-not-shown');
  });

  test('leaves that are not those of the state are refused where all members are shown (§20.1, §20.10)', () => {
    for (const root of ['membersRoot', 'verdictsRoot', 'creditsRoot', 'seed'] as const)
      assert.equal(outcome({ ...file, header: { ...file.header, [root]: new Uint8Array(32) } }), 'other-leaves', root);
  });

  test('a byte changed anywhere in the file is refused (§20.10)', () => {
    const { bytes, digest } = encoded(file);
    for (let at = 0; at < bytes.length; at += 1)
      assert.equal(judgeAnchorFile(bytes.with(at, bytes[at]! ^ 1), digest).status, 'refused', `byte ${at} of ${bytes.length}`);
  });

  test('what its seats certify later is believed (§13.8, §20.10)', () => {
    const { network, start } = trusted(file);
    const { block: _, ...seatsOnly } = start;
    const earlier = { ...seatsOnly, number: 4, height: 100 };
    const proof = proofOf(state);
    assert.equal(judgeCheckpointProof(proof, { network, crypto, start: earlier }).status, 'accepted');
    const verdict = judgeCheckpointProof(proof, { network, crypto, start });
    assert.ok(verdict.status === 'refused' && verdict.reason === 'checkpoints-not-in-order', 'the anchor itself is not above itself');
  });
});

describe('anchor 0, of the founders of a real grid', () => {
  const file = foundersFile(grid);

  test('shows the founders by their cards, whose leaves come to the root (§20.1, §20.10)', () => {
    assert.deepEqual(trusted(file).start.nodes.map(hex), grid.genesis.members.map(hex).toSorted());
  });

  test('a founder with other keys, or fewer founders, are refused (§20.10)', () => {
    assert.ok(file.seats.of === 'genesis');
    const [first, second] = file.seats.members;
    const swapped = { ...first!, attestationKey: second!.attestationKey };
    assert.equal(outcome({ ...file, seats: { of: 'genesis', members: [swapped, ...file.seats.members.slice(1)] } }), 'other-founders');
    assert.equal(outcome({ ...file, seats: { of: 'genesis', members: file.seats.members.slice(1) } }), 'other-founders');
  });

  describe('a real receipt', () => {
    const peeked = peekSigned(ReceiptMessage, gridReceipt);
    assert.ok(peeked.status === 'decoded');
    const receipt = peeked.value;
    const proof = decodeStrict(FinalityProof, gridProof, LIMITS.finalityProofBytesMax);
    assert.ok(proof.status === 'decoded');
    const { blocks, certificate } = proof.value;
    const anchor = trusted(file);
    const judged = (change: Partial<ShownReceipt> = {}, by: TrustedAnchor = anchor): string => {
      const verdict = judgeAnchoredReceipt({ encoded: gridReceipt, receipt, proof: gridProof, link: [], ...change }, by, crypto);
      return verdict.status === 'refused' ? verdict.reason : verdict.status;
    };
    /** As if an anchor were of the checkpoint that holds it. */
    const above: TrustedAnchor = {
      ...anchor,
      header: { ...anchor.header, epoch: 3, height: certificate.height, blockId: certificate.block },
    };

    test('is verified with the cards of the anchor in the place of a network file (§9.2, §20.10)', () => {
      const network = { ...anchor.network, references: grid.references };
      const verdict = judgeReceipt(gridReceipt, { network, crypto });
      assert.equal(verdict.status, 'verified', JSON.stringify(verdict).slice(0, 300));
    });

    test('is final by the seats of an anchor below it (§20.10)', () => {
      assert.equal(judged(), 'accepted');
    });

    test('is final under an anchor above it, without a vote (§20.10)', () => {
      assert.equal(judged({ link: blocks.slice(1) }, above), 'anchored');
    });

    test('lacks the blocks up to the anchor, or they lead elsewhere (§20.10)', () => {
      const far = { ...above, header: { ...above.header, height: certificate.height + 1 } };
      assert.equal(judged({ link: blocks.slice(1) }, far), 'link-missing');
      const other = { ...above, header: { ...above.header, blockId: blobDigest(certificate.block) } };
      assert.equal(judged({ link: blocks.slice(1) }, other), 'other-branch');
      assert.equal(judged({ link: [...blocks.slice(1), blocks[0]!] }, far), 'blocks-not-linked');
    });

    test('of which a byte is another is not on the chain (§9.4, §20.10)', () => {
      const changed = gridReceipt.with(gridReceipt.length - 1, gridReceipt.at(-1)! ^ 1);
      assert.equal(judged({ encoded: changed }), 'other-transaction');
      assert.equal(judged({ encoded: changed, link: blocks.slice(1) }, above), 'other-transaction');
    });

    test('of old seats, below the certificate of the anchor, is refused (§13.7, §20.10)', () => {
      const later = { ...anchor, start: { ...anchor.start, number: certificate.number } };
      assert.equal(judged({}, later), 'checkpoints-not-in-order');
    });
  });
});
