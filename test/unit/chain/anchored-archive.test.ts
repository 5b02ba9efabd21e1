/** What a device keeps and shows of checkpoints with an anchor. Specification §20.10. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { AnchoredSeats, judgeAnchor } from '#protocol/layer1/anchor-file.ts';
import { anchorDigest, NO_ANCHOR } from '#protocol/layer1/anchor.ts';
import { anchoredState } from '#protocol/layer1/anchored-state.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Network } from '#protocol/network.ts';
import { AnchoredArchive, type AnchoredChain } from '../../../device/chain/anchored-archive.ts';
import type { CertifiedCheckpoint } from '../../../device/chain/chain-port.ts';
import { showAnchor, showLink } from '../../../device/chain/proof-show.ts';
import { AnchoredStore } from '../../../device/store/anchored-store.ts';
import { anchoredAt, placeOf } from '../layer1/anchored.ts';
import { network as judging } from '../protocol/judged-member.ts';
import { blockWith } from './proof-workshop.ts';

const { block, state } = anchoredAt();
const checkpoint: CertifiedCheckpoint = { id: block.id, height: 112, timeMs: block.header.timeMs, state, number: 5, aboveHeight: 111 };

/** A network with an anchor every so many heights, whose device was told of the checkpoint. */
function keptBy(
  anchorHeights: number | undefined,
  told: CertifiedCheckpoint = checkpoint,
): { archive: AnchoredArchive; close: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-anchored-'));
  const store = new AnchoredStore(join(folder, 'anchored.sqlite'), () => undefined);
  const network: Network = { ...judging, genesis: { ...judging.genesis, ...(anchorHeights !== undefined && { anchorHeights }) } };
  const chain: AnchoredChain = { onCheckpoint: (handler) => handler(told), blockOnHead: (height) => (height === 112 ? block : undefined) };
  const close = (): void => {
    store.close();
    rmSync(folder, { recursive: true });
  };
  return { archive: new AnchoredArchive(chain, network, store), close };
}

test('a checkpoint with an anchor is shown so that its digest is enough to believe it (§20.10)', () => {
  const { archive, close } = keptBy(8);
  const shown = showAnchor(archive, 112);
  assert.ok(shown.status === 'shown' && shown.view.show === 'anchor');
  const seats = decodeStrict(AnchoredSeats, shown.view.seats, LIMITS.anchoredSeatsBytesMax);
  assert.ok(seats.status === 'decoded');
  const moment = anchoredState(judging, 14, { number: 5, id: block.id, height: 112, timeMs: block.header.timeMs, state }).moment;
  const [place, header] = [placeOf(judging), { ...moment, previous: NO_ANCHOR }];
  const file = { version: 1 as const, place, header, genesis: judging.genesis, seats: seats.value, link: [] };
  assert.equal(judgeAnchor(file, anchorDigest(place, header)).status, 'accepted');
  close();
});

test('a checkpoint that is not the first of an epoch is not kept, and nothing where there are no anchors (§20.2)', () => {
  for (const { archive, close } of [keptBy(50), keptBy(undefined), keptBy(8, { ...checkpoint, aboveHeight: undefined })]) {
    const shown = showAnchor(archive, 112);
    assert.ok(shown.status === 'refused' && shown.reason === 'no-proof');
    close();
  }
});

test('the founders are shown as they stand in the network file (§20.10)', () => {
  const { archive, close } = keptBy(8);
  const seats = decodeStrict(AnchoredSeats, archive.at(0) ?? new Uint8Array(), LIMITS.anchoredSeatsBytesMax);
  assert.ok(seats.status === 'decoded' && seats.value.of === 'genesis');
  assert.deepEqual(seats.value.members, judging.members);
  close();
});

test('a link is of the finalised blocks above a height, page by page (§14.5, §20.10)', () => {
  const chain = { finalised: () => ({ ...checkpoint, number: 5 }), blockOnHead: (height: number) => blockWith(height % 250) };
  const heights = (above: number, to: number): number => {
    const shown = showLink(chain, { above, to });
    assert.ok(shown.status === 'shown' && shown.view.show === 'link');
    return shown.view.blocks.length;
  };
  assert.deepEqual([heights(0, 1_000), heights(96, 1_000), heights(110, 111), heights(112, 120)], [LIMITS.bareBlocksMax, 16, 1, 0]);
  const shown = showLink({ ...chain, blockOnHead: () => undefined }, { above: 1, to: 5 });
  assert.ok(shown.status === 'refused' && shown.reason === 'no-proof');
});
