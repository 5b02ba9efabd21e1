/**
 * Fuzz targets of streams through another broker (§5.7): frames and openings are read or refused in a sentence; an end that hears a foreign frame
 * stays in its bounds; topics of others open no session.
 */
import assert from 'node:assert/strict';

import { encodeBulk } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeRelayFrame, isRelayOpen, RelayFrame, RelayOpen } from '#protocol/relay/frames.ts';
import { StreamEnd } from '#protocol/relay/stream-end.ts';
import { relayOpenedBy, relayTopic } from '#protocol/topics.ts';
import { text } from '../unit/protocol/workshop.ts';
import { accepted, hostileCbor } from './doors.ts';
import type { FuzzTarget } from './tpm-parsers.ts';

const frames: RelayFrame[] = [
  { frame: 'data', number: 3, bytes: new Uint8Array(300).fill(22) },
  { frame: 'credit', below: 40 },
  { frame: 'close', after: 4, reason: 'done' },
];
const topic = relayTopic({ device: 'alpha', listener: 'boxes', session: '00112233445566778899aabbccddeeff' }, 'open');

export const relayParsers: FuzzTarget[] = [
  { name: 'relay frame', seeds: [...frames.map((frame) => encodeBulk(RelayFrame, frame)), ...hostileCbor], run: hearsFrame },
  { name: 'relay opening', seeds: [encodeBulk(RelayOpen, { version: 1 }), ...hostileCbor], run: (bytes) => void isRelayOpen(bytes) },
  { name: 'relay topic', seeds: [topic, topic.replace('boxes', 'clients'), topic.replace('alpha', '+')].map(text), run: readsTopic },
];

function hearsFrame(bytes: Uint8Array): void {
  const read = accepted(decodeRelayFrame(bytes));
  if (!read) return;
  assert.deepEqual(accepted(decodeRelayFrame(encodeBulk(RelayFrame, read.value))), read);
  const end = new StreamEnd(0);
  end.admit();
  const given = end.hear(read.value, 0);
  assert.ok(given.length <= 1 && given.every(({ length }) => length <= LIMITS.relayDataBytesMax));
  end.write(new Uint8Array(40 * LIMITS.relayDataBytesMax));
  assert.ok(end.frames(0).length <= 2 + LIMITS.relayFramesInFlightMax);
}

function readsTopic(bytes: Uint8Array): void {
  const words = new TextDecoder().decode(bytes);
  const session = relayOpenedBy(words);
  if (session) assert.equal(relayTopic(session, 'open'), words);
}
