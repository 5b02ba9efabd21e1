/** Fuzz targets of files about members and anchors, and of what a contract says: whatever somebody hands on. Specification §18.8, §20.10. */
import assert from 'node:assert/strict';

import { judgeAnchorFile } from '#protocol/layer1/anchor-file.ts';
import { NO_ANCHOR } from '#protocol/layer1/anchor.ts';
import { readCountWord, readPostedHeader } from '#protocol/layer1/anchors-calls.ts';
import { judgeTrustFile } from '#protocol/trust-file.ts';
import { anchoredAt, encoded } from '../unit/layer1/anchored.ts';
import { evidenceOf, fileOf, judged, network, others, slotWith, subject, trustWith } from '../unit/protocol/judged-member.ts';
import { crypto } from '../unit/chain/proof-workshop.ts';
import { refusing } from './doors.ts';
import type { FuzzTarget } from './tpm-parsers.ts';

const evidence = evidenceOf(subject);
const slot = slotWith(evidence, { verdict: judged('trusted', others.slice(0, 2)) });
const trustFile = fileOf(trustWith({ slots: [slot] }), [evidence]);
const anchor = encoded(anchoredAt(NO_ANCHOR).file);
const posted = new Uint8Array(12 * 32);

export const trustParsers: FuzzTarget[] = [
  refusing('judgeTrustFile', [trustFile], (bytes) => judgeTrustFile(bytes, { network, crypto })),
  refusing('judgeAnchorFile', [anchor.bytes], (bytes) => judgeAnchorFile(bytes, anchor.digest)),
  { name: 'readPostedHeader', seeds: [posted], run: readsPosted },
];

/** Counts are whole numbers that a number holds, or the header is none. */
function readsPosted(bytes: Uint8Array): void {
  const header = readPostedHeader(bytes);
  if (!header) return;
  for (const count of [header.epoch, header.checkpoint, header.height, header.timeMs, header.members, header.seats])
    assert.ok(Number.isSafeInteger(count) && count >= 0);
  assert.equal(readCountWord(bytes.subarray(0, 32)), header.epoch);
}
