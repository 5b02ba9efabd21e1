/** Votes on an anchor as they travel: 105 bytes of a chip's certified time. Specification §20.2. */
import { concatBytes } from '@noble/hashes/utils.js';
import { blobDigest } from '#protocol/digest.ts';
import { judgeAnchorVote, packVote } from '#protocol/layer1/anchor-vote.ts';
import { attestationPoint } from '#protocol/tpm/attestation-key.ts';
import { Attest } from '#protocol/tpm/attest.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { mutated } from '../../scripts/fuzz/mutation.ts';
import { pick, type Draw } from '../../scripts/fuzz/random.ts';
import { captured, crypto, hex } from '../unit/tpm/captured.ts';
import { caseKind } from './case-kind.ts';
import { isUpper, keyOf, keyWithLeadingZero, order, otherHalf, signingKey, withR, withS, type SigningKey } from './signing-key.ts';

interface VoteInput {
  readonly node: Uint8Array;
  readonly x: Uint8Array;
  readonly y: Uint8Array;
  readonly vote: Uint8Array;
  readonly anchor: Uint8Array;
  readonly [name: string]: Uint8Array;
}

const anchor = blobDigest(new TextEncoder().encode('an anchor'));
const chip = signingKey('a chip that votes');
const withoutZeros = (bytes: Uint8Array): Uint8Array => bytes.slice(bytes.findIndex((byte) => byte !== 0));
const good = voteOf(chip);

export const voteCases = caseKind<VoteInput>({
  name: 'votes',
  named: function* () {
    yield ['a vote', good];
    yield* fromSoftwareTpm();
    for (const axis of ['x', 'y'] as const) {
      yield [`${axis} begins with a zero`, voteOf(keyWithLeadingZero(axis, (bytes) => bytes))];
      yield [`${axis} begins with a zero, which the name leaves out`, voteOf(keyWithLeadingZero(axis, withoutZeros))];
    }
    yield* otherSignatures();
    for (const length of [0, 1, 64, 104, 106, 210]) yield [`${length} bytes`, { ...good, vote: resized(good.vote, length) }];
    for (let at = 0; at < good.vote.length; at += 1) yield [`a bit of byte ${at} turned`, { ...good, vote: turnedBit(good.vote, at) }];
    for (const name of ['node', 'x', 'y', 'anchor'] as const)
      for (let at = 0; at < 32; at += 2) yield [`${name}: a bit of byte ${at} turned`, { ...good, [name]: turnedBit(good[name], at) }];
  },
  judge: ({ vote, anchor: about, ...key }) => {
    const verdict = judgeAnchorVote(crypto, { node: key.node, x: key.x, y: key.y }, vote, about);
    return { verdict: verdict.status === 'accepted' ? 'accepted' : verdict.reason };
  },
  mutate,
});

function* fromSoftwareTpm(): Iterable<readonly [string, VoteInput]> {
  const { attestation, signature } = captured.time;
  const decoded = Signature.decode(hex(signature));
  const point = attestationPoint(hex(captured.attestationKey));
  if (decoded.status !== 'decoded' || decoded.value.scheme !== 'ecdsa' || !point)
    throw new Error('the captured time has no ECDSA signature');
  const about = hex(captured.qualifyingData);
  const vote = packVote({ attestation: hex(attestation), signature: concatBytes(decoded.value.r, decoded.value.s) }, about);
  if (!vote) throw new Error('the captured time is no vote');
  const shown = { node: blobDigest(hex(captured.endorsementKey)), ...point, vote, anchor: about };
  yield ['swtpm: a vote', shown];
  yield ['swtpm: for another anchor', { ...shown, anchor }];
}

function* otherSignatures(): Iterable<readonly [string, VoteInput]> {
  const signature = good.vote.slice(0, 64);
  const with_ = (changed: Uint8Array): VoteInput => ({ ...good, vote: concatBytes(changed, good.vote.subarray(64)) });
  yield ['s in the upper half', with_(otherHalf(signature))];
  for (const [name, value] of [
    ['0', 0n],
    ['1', 1n],
    ['the order', order],
  ] as const) {
    yield [`r is ${name}`, with_(withR(signature, value))];
    yield [`s is ${name}`, with_(withS(signature, value))];
  }
  yield ['another chip', { ...good, ...pointOfKey(signingKey('another chip')) }];
  yield ['a point off the curve', { ...good, x: new Uint8Array(32), y: new Uint8Array(32) }];
}

/** Time of 2^53 ms and more is no fault of a vote: nothing is read of it. */
function voteOf(key: SigningKey): VoteInput {
  const clockInfo = { clock: 5n, resetCount: 7, restartCount: 3, safe: true };
  const timeInfo = { time: 2n ** 60n, clockInfo: { ...clockInfo, clock: 6n } };
  const firmwareVersion = 0x2024_0125_0012_0000n;
  const said = { qualifiedSigner: key.qualifiedName, extraData: anchor, clockInfo, firmwareVersion };
  const body = { kind: 'time' as const, ...said, attested: { timeInfo, firmwareVersion } };
  const attestation = Attest.encode({ magic: 0xff544347, body });
  const signature = key.sign(attestation);
  const vote = packVote({ attestation, signature: isUpper(signature) ? otherHalf(signature) : signature }, anchor);
  if (!vote) throw new Error('what a chip says of time is no vote');
  return { ...pointOfKey(key), vote, anchor };
}

function pointOfKey(key: SigningKey): Pick<VoteInput, 'node' | 'x' | 'y'> {
  const { point } = keyOf(key);
  return { node: key.node, x: point.slice(1, 33), y: point.slice(33) };
}

function mutate(draw: Draw): VoteInput {
  const name = pick(draw, ['vote', 'vote', 'vote', 'node', 'anchor'] as const);
  if (draw(8) === 0) return good;
  return { ...good, [name]: name === 'vote' ? mutated([good.vote], draw) : turnedBit(good[name], draw(32)) };
}

function turnedBit(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.with(at, (bytes[at] ?? 0) ^ 1);
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const changed = new Uint8Array(length);
  changed.set(bytes.subarray(0, length));
  return changed;
}
