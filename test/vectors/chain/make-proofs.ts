/**
 * Makes proofs.json: proofs of finality, good ones and ones in which one thing is wrong, with the verdicts that they must get.
 *
 * Run: node_modules/.bin/node test/vectors/chain/make-proofs.ts. Chips are software but for the captured proof's, which is of a grid.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { FinalityProof, judgeFinalityProof } from '#protocol/chain/finality-proof.ts';
import { decodeBulk, decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { transactionId } from '#protocol/chain/transaction.ts';
import { LIMITS } from '#protocol/limits.ts';
import { Network } from '#protocol/network.ts';
import { changeTo, crypto, founded, founders, newcomer, proofWith } from '../../unit/chain/proof-workshop.ts';

type Change = (proof: FinalityProof) => FinalityProof;

interface Kept {
  readonly name: string;
  readonly network: 'grid' | 'software';
  readonly verdict: string;
  readonly proof: Uint8Array;
}

const here = new URL('.', import.meta.url);
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../receipt/${name}`, here)));

const joined = changeTo([...founders, newcomer], { number: 2, height: 5, voters: founders.slice(0, 3) });
const plain = proofWith({});
const withChange = proofWith({ changes: [joined], voters: [...founders.slice(0, 3), newcomer].toSorted(byNode) });
const [firstFounder, secondFounder] = [founders[0]!, founders[1]!];

function byNode(left: { readonly node: Uint8Array }, right: { readonly node: Uint8Array }): number {
  return left.node.toHex() < right.node.toHex() ? -1 : 1;
}

function changed(from: Uint8Array, change: Change): Uint8Array {
  const decoded = decodeStrict(FinalityProof, from, LIMITS.finalityProofBytesMax);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return encodeStrict(FinalityProof, change(decoded.value));
}

function captured(): Uint8Array {
  const kept = read('finality.cbor');
  const news = decodeBulk(FinalityNews, kept, kept.length);
  if (news.status === 'malformed' || news.value.finality !== 'final') throw new Error('the captured proof of test/vectors/receipt is none');
  return news.value.proof;
}

const certified = (change: Partial<FinalityProof['certificate']>): Change => {
  return (proof) => ({ ...proof, certificate: { ...proof.certificate, ...change } });
};
const voucherOf = (change: (voucher: FinalityProof['vouchers'][number]) => FinalityProof['vouchers'][number]): Change => {
  return (proof) => ({ ...proof, vouchers: proof.vouchers.map(change) });
};
const changedChange = (change: (one: FinalityProof['changes'][number]) => FinalityProof['changes'][number]): Change => {
  return (proof) => ({ ...proof, changes: proof.changes.map(change) });
};
const flipped = (bytes: Uint8Array, at = 0): Uint8Array => bytes.with(at, bytes[at]! ^ 1);
const keyOf = ({ node, operationalKey }: typeof firstFounder) => ({ node, key: operationalKey });

const software: [string, string, Uint8Array][] = [
  ['a proof', 'accepted', plain],
  ['one block', 'accepted', proofWith({ blocks: 1 })],
  ['the last of three transactions', 'accepted', proofWith({ index: 2 })],
  ['a member that joined votes', 'accepted', withChange],
  ['bytes that end early', 'malformed', plain.slice(0, -1)],
  [
    'a header that is none',
    'malformed',
    changed(plain, (proof) => ({ ...proof, blocks: [{ ...proof.blocks[0]!, header: Uint8Array.of(0) }] })),
  ],
  ['another place', 'not-in-block', changed(plain, (proof) => ({ ...proof, index: 0 }))],
  ['another path', 'not-in-block', changed(plain, (proof) => ({ ...proof, path: proof.path.map((step) => flipped(step)) }))],
  ['a block left out', 'blocks-not-linked', changed(plain, (proof) => ({ ...proof, blocks: [proof.blocks[0]!, proof.blocks[2]!] }))],
  ['another block certified', 'other-checkpoint', changed(plain, (proof) => ({ ...proof, blocks: proof.blocks.slice(0, 2) }))],
  ['another height', 'other-checkpoint', changed(plain, certified({ height: 13 }))],
  ['number 0', 'checkpoints-not-in-order', changed(plain, certified({ number: 0 }))],
  ['two of four', 'certificate-no-quorum', proofWith({ voters: founders.slice(0, 2) })],
  ['a stranger votes', 'certificate-not-a-voter', proofWith({ voters: [...founders.slice(0, 2), newcomer].toSorted(byNode) })],
  ['a vote twice', 'certificate-vote-repeated', proofWith({ voters: [firstFounder, firstFounder, secondFounder] })],
  ['votes in another order', 'certificate-votes-out-of-order', proofWith({ voters: founders.slice(0, 3).toReversed() })],
  ['a vote for another round', 'certificate-signature-wrong', changed(plain, certified({ round: 1 }))],
  ['a vote for another number', 'certificate-signature-wrong', changed(plain, certified({ number: 4 }))],
  ['no vouchers', 'voucher-refused', changed(plain, (proof) => ({ ...proof, vouchers: [] }))],
  [
    'a voucher’s quote',
    'voucher-refused',
    changed(
      plain,
      voucherOf((voucher) => ({ ...voucher, quote: flipped(voucher.quote, voucher.quote.length - 1) })),
    ),
  ],
  [
    'a voucher’s signature',
    'voucher-refused',
    changed(
      plain,
      voucherOf((voucher) => ({ ...voucher, quoteSignature: flipped(voucher.quoteSignature, 20) })),
    ),
  ],
  [
    'a voucher’s registers',
    'voucher-refused',
    changed(
      plain,
      voucherOf((voucher) => ({ ...voucher, pcrs: { ...voucher.pcrs, pcr8: flipped(voucher.pcrs.pcr8) } })),
    ),
  ],
  [
    'a voucher’s log',
    'voucher-refused',
    changed(
      plain,
      voucherOf((voucher) => ({ ...voucher, eventLog: voucher.eventLog.slice(1) })),
    ),
  ],
  [
    'one’s key in another’s vote',
    'voucher-refused',
    changed(plain, (proof) => {
      const votes = proof.certificate.votes.map((vote) => ({ ...vote, key: keyOf(firstFounder).key }));
      return { ...proof, certificate: { ...proof.certificate, votes } };
    }),
  ],
  [
    'another state',
    'state-not-shown',
    changed(
      withChange,
      changedChange((one) => ({ ...one, state: { ...one.state, boxesRoot: flipped(one.state.boxesRoot) } })),
    ),
  ],
  [
    'a member under another root',
    'state-not-shown',
    changed(
      withChange,
      changedChange((one) => ({
        ...one,
        state: { ...one.state, members: one.state.members.map((shown) => ({ ...shown, path: shown.path.slice(1) })) },
      })),
    ),
  ],
  [
    'a change by too few',
    'certificate-no-quorum',
    proofWith({ changes: [changeTo([newcomer], { number: 2, height: 5, voters: founders.slice(0, 2) })] }),
  ],
  ['a change that is left out', 'certificate-not-a-voter', changed(withChange, (proof) => ({ ...proof, changes: [] }))],
];

const cases: readonly Kept[] = [
  { name: 'a receipt of a grid', network: 'grid', verdict: 'accepted', proof: captured() },
  { name: 'the proof of another network', network: 'software', verdict: 'other-network', proof: captured() },
  ...software.map(([name, verdict, proof]) => ({ name, network: 'software' as const, verdict, proof })),
];

const grid = decodeStrict(Network, read('network.cbor'), LIMITS.networkBytesMax);
if (grid.status === 'malformed') throw new Error(grid.detail);
const judgedBy = { grid: grid.value, software: founded };

/** What an accepted proof shows, in words of JSON. */
function shownBy({ network, proof }: Kept): Record<string, unknown> | undefined {
  const verdict = judgeFinalityProof(proof, { network: judgedBy[network], crypto });
  if (verdict.status === 'refused') return undefined;
  const { height, timeMs, block, checkpoint, voters, votes } = verdict;
  const place = { transaction: transactionId(verdict.transaction).toHex(), timeMs, height, block: block.toHex() };
  return { ...place, checkpoint: { ...checkpoint, block: checkpoint.block.toHex() }, voters, votes: votes.map(({ node }) => node.toHex()) };
}

const networks = { grid: read('network.cbor').toHex(), software: encodeStrict(Network, founded).toHex() };
const kept = cases.map((one) => {
  const expected = { verdict: one.verdict, ...shownBy(one) };
  return { name: one.name, network: one.network, expected, proof: one.proof.toHex() };
});
writeFileSync(new URL('proofs.json', here), `${JSON.stringify({ networks, cases: kept }, undefined, 1)}\n`);
