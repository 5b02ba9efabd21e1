/** Which boxes a block draws for the capsules that wait for one. Pure. Specification §15.2. */
import { boxOrder, isFitting, memberOrder } from '#protocol/chain/public-draw.ts';
import type { BoxRecord, CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import { isTrusted } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsulesWhere } from './capsule-agenda.ts';
import { recordOf } from './member-identity.ts';
import { hasSeat, hasVotedLately } from './seats.ts';
import { drawingSeats, withDraw, type DrawingBlock } from './two-leaders.ts';

/** The state with the boxes that this block draws, in turn of the gateways, as far as its ranks reach. */
export function withBoxesDrawn(state: ChainState, { height, leader, output }: DrawingBlock): ChainState {
  const boxes = [...state.boxes.values().filter((box) => isReachable(state, box))];
  if (boxes.length === 0) return state;
  const fitting = fittingOf(boxes);
  const leaders = drawingSeats(state);
  let [capsules, ranks] = [state.capsules, 0];
  for (const waiting of inTurn(capsulesWhere(state.capsules, ({ waiting }) => waiting > 0))) {
    const { record, draw } = withDraw(waiting, { leader, output, height }, leaders);
    const ranked = draw && ranks <= LIMITS.boxRanksPerBlockMax ? fitting(record) : [];
    const isLeftOut = draw && ranks > 0 && ranks + ranked.length > LIMITS.boxRanksPerBlockMax;
    ranks += ranked.length;
    const drawn = draw && !isLeftOut ? drawnFor(record, ranked, draw) : undefined;
    const box = drawn && { node: drawn.node, box: drawn.box.name, height };
    const next = box ? withAttempt(record, box) : isLeftOut ? withDrawKept(record, draw) : record;
    if (next !== waiting) capsules = capsules.with(next.capsule, next);
  }
  return { ...state, capsules };
}

/** Were it drawn anew, a gateway could keep its capsule behind others of its own until a leader that works with it has the draw that they like. */
function withDrawKept(record: CapsuleRecord, draw: Uint8Array): CapsuleRecord {
  if (record.draw) return record;
  const { drawing: _, ...rest } = record;
  return { ...rest, draw };
}

function withAttempt({ drawing: _, draw: _draw, ...record }: CapsuleRecord, attempt: CapsuleRecord['attempts'][number]): CapsuleRecord {
  return { ...record, attempts: [...record.attempts, attempt], awaitsDraw: 'no' };
}

/** Of each gateway the first that was ordered, then of each the second: so that nobody's capsules wait behind all those of another. */
function inTurn(waiting: readonly CapsuleRecord[]): CapsuleRecord[] {
  const turns = new Map<string, number>();
  const placed = waiting.toSorted(byOrder).map((record) => {
    const gateway = hex(record.gateway);
    const turn = turns.get(gateway) ?? 0;
    turns.set(gateway, turn + 1);
    return { record, turn };
  });
  return placed.sort((left, right) => left.turn - right.turn).map(({ record }) => record);
}

function byOrder(left: CapsuleRecord, right: CapsuleRecord): number {
  return left.orderedHeight - right.orderedHeight || (left.capsule < right.capsule ? -1 : 1);
}

/** Of a member with a seat that has voted lately, and is trusted where members judge one another (§18.6). */
function isReachable(state: ChainState, { node }: BoxRecord): boolean {
  const record = recordOf(state, node);
  if (record?.standing !== 'member' || !hasSeat(state, node)) return false;
  if (record.trust && !isTrusted(record.trust, state.core.checkpoint.number)) return false;
  return hasVotedLately(state, record);
}

/** The boxes with a capsule's runtime and at least its trust. Capsules are many, and ask for few kinds. */
function fittingOf(boxes: readonly BoxRecord[]): (record: CapsuleRecord) => readonly BoxRecord[] {
  const known = new Map<string, readonly BoxRecord[]>();
  return ({ runtime, trust }) => {
    const kind = `${trust} ${runtime}`;
    const fitting = known.get(kind) ?? boxes.filter(({ box }) => isFitting(box, { runtime, trust }));
    known.set(kind, fitting);
    return fitting;
  };
}

/** A member first, then one of its boxes: who offers many is drawn no oftener. Those not tried before, as long as there are such. */
function drawnFor({ capsule, attempts }: CapsuleRecord, fitting: readonly BoxRecord[], output: Uint8Array): BoxRecord | undefined {
  const attempt = attempts.length + 1;
  const boxesOf = Map.groupBy(fitting, ({ node }) => hex(node));
  const members = memberOrder(
    output,
    capsule,
    attempt,
    [...boxesOf.values()].flatMap(([first]) => first?.node ?? []),
  );
  const triedMembers = new Set(attempts.map(({ node }) => hex(node)));
  const member = members.find((node) => !triedMembers.has(hex(node))) ?? members[0];
  const named = (boxesOf.get(member ? hex(member) : '') ?? []).map((record) => ({ node: record.node, box: record.box.name, record }));
  const order = boxOrder(output, capsule, attempt, named);
  const tried = new Set(attempts.map(({ node, box }) => `${hex(node)}/${box}`));
  return (order.find(({ node, box }) => !tried.has(`${hex(node)}/${box}`)) ?? order[0])?.record;
}
