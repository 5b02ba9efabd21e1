/** Which block may follow another. Pure. Specification §11.1-11.2, §12. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import { merkleRoot } from '#protocol/chain/merkle.ts';
import { stateRoot } from '#protocol/chain/state-root.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { transactionId } from '#protocol/chain/transaction.ts';
import { judgeWait, type ChipTime, type WaitRefusal } from '#protocol/chain/wait-certificate.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { judgeVrfProof, vrfOutput } from '#protocol/tpm/vrf.ts';
import { opened } from './block-state.ts';
import { drawOf, waitAbove } from './member-draw.ts';
import { identityOf, recordOf, type MemberIdentity } from './member-identity.ts';
import type { Branch, LedgerContext, Position } from './position.ts';
import { applyTransaction } from './transaction-rules.ts';

export type BlockRefusal =
  | 'other-network'
  | 'other-height'
  | 'other-parent'
  | 'no-seat'
  | 'draw-too-early'
  | 'member-keys-unusable'
  | 'time-too-early'
  | 'draw-wrong'
  | WaitRefusal
  | 'transactions-differ'
  | 'transaction-refused'
  | 'state-differs';

type Refused = { readonly status: 'refused'; readonly reason: BlockRefusal; readonly detail: string };

export type BlockVerdict =
  { readonly status: 'accepted'; readonly position: Position; readonly waitMs: number; readonly output: Uint8Array } | Refused;

/** What is cheap comes first: place, seat, time; then the draw, the two certificates, the transactions, the state. */
export function judgeBlock(context: LedgerContext, block: ReadBlock, parent: Position, branch: Branch): BlockVerdict {
  const misplaced = placeFault(context, block, parent);
  if (misplaced) return misplaced;
  const led = judgeLead(context, block, parent);
  if (led.status === 'refused') return led;
  const body = judgeBody(context, block, parent, branch, led);
  if (body.status === 'refused') return body;
  const { id, header } = block;
  const position = { id, height: header.height, timeMs: header.timeMs, state: body.state };
  return { status: 'accepted', position, waitMs: led.waitMs, output: led.output };
}

function placeFault({ networkId }: LedgerContext, { header }: ReadBlock, parent: Position): Refused | undefined {
  if (!sameBytes(header.network, networkId)) return refused('other-network', `a block of the network ${hex(header.network)}`);
  if (header.height !== parent.height + 1)
    return refused('other-height', `height ${header.height}; above its parent it is ${parent.height + 1}`);
  if (!sameBytes(header.parent, parent.id)) return refused('other-parent', `a block on ${hex(header.parent)}; this is ${hex(parent.id)}`);
  return undefined;
}

type Lead = { readonly status: 'led'; readonly waitMs: number; readonly output: Uint8Array; readonly waitedUntil: ChipTime };

/** Whether the leader had the seat, the draw and the patience. */
function judgeLead(context: LedgerContext, block: ReadBlock, parent: Position): Lead | Refused {
  const { header } = block;
  const draw = drawOf(context, parent, header.node);
  if (draw.status === 'no-seat') return refused(draw.reason === 'not-yet' ? 'draw-too-early' : 'no-seat', draw.detail);
  const record = recordOf(parent.state, header.node);
  const identity = record && identityOf(context.crypto, record.member);
  if (!identity) return refused('member-keys-unusable', `the keys of ${hex(header.node)} have not the templates`);
  const output = vrfOutput(context.crypto, header.draw);
  const waitMs = waitAbove(context, parent, output);
  if (header.timeMs < parent.timeMs + waitMs)
    return refused(
      'time-too-early',
      `chain time ${header.timeMs}; the parent's ${parent.timeMs} and the wait of ${waitMs} ms are at least that`,
    );
  const proof = judgeVrfProof(context.crypto, identity.vrfModulus, draw.alpha, header.draw);
  if (proof.status === 'refused') return refused('draw-wrong', proof.detail);
  return judgeCertificates(context, block, { waitMs, output, identity, lastEnd: record.waitedUntil });
}

interface Drawn {
  readonly waitMs: number;
  readonly output: Uint8Array;
  readonly identity: MemberIdentity;
  readonly lastEnd: ChipTime | undefined;
}

function judgeCertificates(
  { crypto, networkId: network }: LedgerContext,
  { header, headerBytes, end }: ReadBlock,
  { waitMs, output, identity, lastEnd }: Drawn,
): Lead | Refused {
  const { parent, node, height, start } = header;
  const wait = judgeWait(crypto, identity.attestationKey, { network, parent, node, height, start, end, headerBytes, waitMs, lastEnd });
  if (wait.status === 'refused') return wait;
  const startedMs = wait.end.timeMs - wait.elapsedMs;
  return { status: 'led', waitMs, output, waitedUntil: { ...wait.end, timeMs: startedMs + waitMs } };
}

function judgeBody(
  context: LedgerContext,
  { header, transactions }: ReadBlock,
  parent: Position,
  branch: Branch,
  { output, waitedUntil }: Lead,
): { readonly status: 'applied'; readonly state: ChainState } | Refused {
  const { node, timeMs, height } = header;
  const root = merkleRoot(transactions.map(transactionId));
  if (!sameBytes(root, header.transactions))
    return refused('transactions-differ', `the transactions have the root ${hex(root)}; the header says ${hex(header.transactions)}`);
  let state = opened(parent, { node, output, waitedUntil, timeMs }, context.network.genesis);
  for (const [index, encoded] of transactions.entries()) {
    const outcome = applyTransaction(state, encoded, { context, height, timeMs, branch, lead: { node, output } });
    if (outcome.status === 'refused') return refused('transaction-refused', `transaction ${index}: ${outcome.reason}: ${outcome.detail}`);
    state = outcome.state;
  }
  const reached = stateRoot(state);
  if (!sameBytes(reached, header.state))
    return refused('state-differs', `the state has the root ${hex(reached)}; the header says ${hex(header.state)}`);
  return { status: 'applied', state };
}

function refused(reason: BlockRefusal, detail: string): Refused {
  return { status: 'refused', reason, detail };
}
