/**
 * Whether a member may start from its operator's checkpoint, and the start: the state below is read, the blocks up to the checkpoint
 * are judged, and the tree begins there. Pure. Specification §13.7.
 */
import { decodeState, encodeState } from '#protocol/chain/state-encoding.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { persist, report } from './outbox.ts';
import type { Position } from '../ledger/position.ts';
import { plainBlock, stateAt } from './restore.ts';
import type { Anchor, ConsensusState, Joining, Transfer } from './state.ts';
import { finalisedIdAt } from './tree.ts';

/** How the kept chain stands to a checkpoint: it holds it, does not reach it, or contradicts it. */
export type Standing = { readonly is: 'held' } | { readonly is: 'not-reached' } | { readonly is: 'contradicted'; readonly detail: string };

export function standingTo({ finality, tree, setup }: ConsensusState, anchor: Anchor): Standing {
  const { number, block } = finality.last;
  const { height, id } = block.position;
  if (anchor.number === 0) return { is: 'held' };
  if (anchor.number > number && anchor.height > height) return { is: 'not-reached' };
  const atNumber = anchor.number === number ? id : setup.archive.certificate(anchor.number)?.block;
  const atHeight = anchor.height <= height ? finalisedIdAt(tree, anchor.height) : undefined;
  const kept = [atNumber, atHeight].find((known) => known && !sameBytes(known, anchor.block));
  if (!kept && anchor.height <= height) return { is: 'held' };
  const holds = kept ? `the kept chain has ${hex(kept)} there` : `the kept chain has checkpoint ${number} at height ${height}`;
  const says = `checkpoint ${anchor.number}${anchor.from ? ', says layer 1,' : ''} is ${hex(anchor.block)} at height ${anchor.height}`;
  return { is: 'contradicted', detail: `${says}; ${holds}` };
}

/** This member does not take part until its operator has seen to it. */
export function refuseAnchor(state: ConsensusState, detail: string): void {
  state.anchorFault = detail;
  state.joining = undefined;
  report(state.outbox, { report: 'anchorContradicted', detail });
}

type Outcome = { readonly status: 'done' } | { readonly status: 'refused'; readonly reason: string; readonly detail: string };

/** With a whole transfer: the start, or a question more, or what is wrong. */
export function tryStart(state: ConsensusState, joining: Joining): Outcome {
  const { transfer, anchor, path } = joining;
  if (!transfer) return refused('nothing-to-join-with', 'no state has come');
  const base = basePosition(state, joining, transfer);
  if ('status' in base) return base;
  // The certificates in the blocks above name checkpoints down to this height.
  transfer.fromHeight = base.height === 0 ? 1 : base.state.core.checkpoint.height + 1;
  if ((path.at(-1)?.header.height ?? Infinity) > Math.max(1, transfer.fromHeight)) return { status: 'done' };
  const climbed = climb(state, joining, base);
  if ('status' in climbed) return climbed;
  const certified = climbed.state.core.checkpoint;
  if (certified.number >= anchor.number)
    refuseAnchor(
      state,
      `checkpoint ${anchor.number} can't be ${hex(anchor.block)}: below it stands the certificate of ${certified.number}; correct the number`,
    );
  else startAt(state, joining, climbed);
  return { status: 'done' };
}

function basePosition(
  { setup }: ConsensusState,
  { path }: Joining,
  transfer: Transfer,
): Position | Extract<Outcome, { status: 'refused' }> {
  const genesis = setup.ledger.genesis();
  if (sameBytes(transfer.block, genesis.id)) return genesis;
  const block = path.find(({ id }) => sameBytes(id, transfer.block));
  if (!block) return refused('state-too-deep', 'its state is at no block below the checkpoint');
  transfer.state ??= joined(transfer);
  const { id, header } = block;
  const decoded = decodeState(transfer.state, header.state);
  if (decoded.status === 'malformed') return refused(decoded.reason, decoded.detail);
  return { id, height: header.height, timeMs: header.timeMs, state: decoded.value };
}

function joined({ pieces, total }: Transfer): Uint8Array {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const piece of pieces.splice(0)) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** From the state up to the checkpoint, block by block. */
function climb({ setup }: ConsensusState, { path }: Joining, base: Position): Position | Extract<Outcome, { status: 'refused' }> {
  const ids = new Map([[0, setup.ledger.genesis().id], ...path.map(({ id, header }) => [header.height, id] as const)]);
  const branch = { ancestorAt: (height: number): Uint8Array | undefined => ids.get(height) };
  let position = base;
  for (const block of path.toReversed().filter(({ header }) => header.height > base.height)) {
    const verdict = setup.ledger.judgeBlock(block, position, branch);
    if (verdict.status === 'refused') return refused(verdict.reason, verdict.detail);
    position = verdict.position;
  }
  return position;
}

/** One durable step: the blocks, and the state with the number of its checkpoint; whoever is cut off before begins the transfer anew. */
function startAt(state: ConsensusState, { anchor, path }: Joining, position: Position): void {
  const { number, height, block } = anchor;
  for (const one of path.toReversed()) persist(state.outbox, { record: 'block', block: one, own: false });
  persist(state.outbox, { record: 'state', height, block, state: encodeState(position.state), start: number });
  const setup = { ...state.setup, at: state.at };
  const begun = stateAt(setup, { number, block: plainBlock(position, setup), certificate: undefined });
  begun.tree.spine.clear();
  for (const one of path.toReversed()) begun.tree.spine.set(one.header.height, one.id);
  const { tree, head, arrivals, finality, early, onlineSinceMs } = begun;
  Object.assign(state, {
    tree,
    head,
    arrivals,
    finality,
    early,
    onlineSinceMs,
    headInDoubt: true,
    lock: '',
    announced: '',
    joining: undefined,
  });
  for (const peer of state.sync.peers.values()) peer.cursor = 0;
  report(state.outbox, { report: 'startedFromCheckpoint', number, height, block });
}

function refused(reason: string, detail: string): Extract<Outcome, { status: 'refused' }> {
  return { status: 'refused', reason, detail };
}
