/** The boxes that a member offers to the network. Pure. Specification §11.3. */
import { boxKey, type ChainState } from '#protocol/chain/state.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { recordOf, withRecord } from './member-identity.ts';
import { applied, refused, type Outcome } from './transaction-refusal.ts';

/** All that the member offers now, in the place of what it offered before. @param by a member, whose signature was checked */
export function applyBoxes(state: ChainState, by: Uint8Array, { serial, boxes }: ActionOf<'boxes'>): Outcome {
  const record = recordOf(state, by);
  if (!record) return refused('not-a-member', `${hex(by)} is not known`);
  if (serial <= record.boxesSerial) return refused('serial-not-later', `serial ${serial}; it must be above ${record.boxesSerial}`);
  if (boxes.some(({ name }, index) => index > 0 && name <= (boxes[index - 1]?.name ?? '')))
    return refused('boxes-out-of-order', 'boxes are in the order of their names, each once');
  let offered = state.boxes;
  for (const key of state.boxes.keys()) {
    if (key.startsWith(`${hex(by)}/`)) offered = offered.without(key);
  }
  for (const box of boxes) offered = offered.with(boxKey({ node: by, box }), { node: by, box });
  return applied(withRecord({ ...state, boxes: offered }, { ...record, boxesSerial: serial }));
}
