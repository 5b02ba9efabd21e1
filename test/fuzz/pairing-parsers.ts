/**
 * Fuzz targets of pairing (§5.6): what people type is read or refused in a sentence that doesn't repeat it; what strangers say
 * never makes a door throw; nothing is unsealed that was not sealed; a share is a point or it is nothing.
 */
import assert from 'node:assert/strict';

import { encodeStrict } from '#protocol/codec.ts';
import * as code from '#protocol/pairing-code.ts';
import * as pairing from '#protocol/pairing.ts';
import * as spake from '#protocol/spake2plus.ts';
import { decodeTally, encodeTally, TALLY_BYTES } from '../../device/pairing/attempt-tally.ts';
import { nodeAead } from '../../device/pairing/pairing-cipher.ts';
import { text } from '../unit/protocol/workshop.ts';
import { accepted, oneForm, refusing, requireSentence } from './doors.ts';
import { samples } from './protocol-samples.ts';
import type { FuzzTarget } from './tpm-parsers.ts';

const shared = new Uint8Array(32).fill(5);
const request = { publicKey: new Uint8Array(91), signingKey: new Uint8Array(32) };
const grant: pairing.PairingGrant = {
  status: 'granted',
  certificate: Uint8Array.of(0x30, 0),
  authority: Uint8Array.of(0x30, 0),
  url: 'mqtts://a:1',
};
const address = { url: 'mqtts://[::1]:8884', kind: 'box', name: 'render-1' } as const;
const window = code.formatInvitation(address, code.pairingCodeFrom(Uint8Array.of(1, 2, 3, 4, 5, 6, 7)));
const secret = spake.proverSecretOf(new Uint8Array(80).fill(9));
const [record, scalar] = [spake.verifierRecordOf(secret), spake.scalarOf(new Uint8Array(48).fill(3))];
const exchange = { context: shared, idProver: text('box/render-1'), idVerifier: shared };
const tally = encodeTally(new Map([['0000000000000000', 2]]).set('0102030405060708', 3));

export const pairingParsers: FuzzTarget[] = [
  { name: 'pairing code', seeds: ['ABCD-EFGH', '0000-0000', ' o1lI_0000 '].map(text), run: readsCode },
  { name: 'pairing address', seeds: [window, '127.0.0.1:1/client/x', 'mqtts://a:1/box/b#'].map(text), run: readsAddress },
  {
    name: 'pairing call',
    seeds: samplesOf('PairingCall', pairing.PairingCall),
    run: oneForm(pairing.decodeCall, (value) => encodeStrict(pairing.PairingCall, value)),
  },
  { name: 'pairing answer', seeds: samplesOf('PairingAnswer', pairing.PairingAnswer), run: readsAnswer },
  refusing(
    'sealed request',
    [pairing.sealRequest(nodeAead, shared, request).sealed],
    (bytes) => pairing.openRequest(nodeAead, shared, bytes),
    'opened',
  ),
  refusing(
    'sealed grant',
    [pairing.sealGrant(nodeAead, shared, grant).sealed],
    (bytes) => pairing.openGrant(nodeAead, shared, bytes),
    'opened',
  ),
  { name: 'pairing share', seeds: [spake.proverShare(secret, scalar), spake.verifierShare(record, scalar)], run: takesShare },
  { name: 'attempt tally', seeds: [tally, new Uint8Array(TALLY_BYTES)], run: readsTally },
];

function readsCode(bytes: Uint8Array): void {
  const typed = new TextDecoder().decode(bytes);
  const read = code.parsePairingCode(typed);
  if (read.status === 'unreadable') return requireSentence(read.detail);
  assert.deepEqual(code.parsePairingCode(code.formatPairingCode(read.value)), read);
}

function readsAddress(bytes: Uint8Array): void {
  const read = code.parseWindowAddress(new TextDecoder().decode(bytes));
  if (read.status === 'unreadable') return requireSentence(read.detail);
  const { code: typed, ...place } = read.value;
  const again = typed === undefined ? code.formatWindowAddress(place) : code.formatInvitation(place, typed);
  assert.deepEqual(code.parseWindowAddress(again), read);
  assert.ok(URL.canParse(place.url), place.url);
}

function readsAnswer(bytes: Uint8Array): void {
  const decoded = accepted(pairing.decodeAnswer(bytes));
  if (decoded?.value.answer === 'refused' && decoded.value.detail !== '') requireSentence(decoded.value.detail);
}

function takesShare(bytes: Uint8Array): void {
  const isShare = spake.isShare(bytes);
  if (!isShare) assert.equal(spake.finishVerifier(exchange, record, scalar, bytes), undefined);
  assert.ok(!isShare || bytes.length === spake.SHARE_BYTES);
}

function readsTally(bytes: Uint8Array): void {
  const read = decodeTally(bytes);
  if (read.size > 0) assert.deepEqual(decodeTally(encodeTally(read)), read);
}

function samplesOf<T>(name: string, schema: Parameters<typeof encodeStrict<T>>[0]): Uint8Array[] {
  const found = samples.find((one) => one.name === name);
  assert.ok(found, name);
  return found.values.map((value) => encodeStrict(schema, value as T));
}
