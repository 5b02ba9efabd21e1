/**
 * Signed messages opened per second of one core: strict decoding of the envelope, Ed25519, strict decoding of the body
 * (specification §2.6), beside a bare Ed25519 verification of the same bytes by Node.
 */
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { AcceptanceMessage } from '#protocol/client-messages.ts';
import { openSigned, signingInput, signMessage, type VerificationKey } from '#protocol/signed.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { Envelope } from '#protocol/signed.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import type { Benchmark } from './benchmark.ts';
import { madeAcceptance } from './made-acceptance.ts';
import { inTurns, perCpuSecond } from './rounds.ts';

export const signedMessages: Benchmark = {
  name: 'signed',
  summary: 'signed messages checked (Ed25519 and strict decoding), per core, beside a bare crypto.verify',
  metric: 'signed messages checked',
  run: async ({ rounds, quick }) => {
    const { open, bare } = checksOfMessages();
    const durationMs = quick ? 150 : 500;
    perCpuSecond(open, durationMs / 2);
    const { ours, floor } = await inTurns(
      rounds,
      () => perCpuSecond(open, durationMs),
      () => perCpuSecond(bare, durationMs),
    );
    return [
      {
        status: 'measured',
        metric: 'signed messages checked',
        unit: '/s',
        better: 'higher',
        ours,
        floor: { name: 'bare crypto.verify Ed25519', samples: floor },
        target: { text: '≥ 8,000/s', isMet: (medians) => medians.ours >= 8_000 },
        note: 'per CPU-second, one core; acceptances of about 300 bytes by eight devices',
      },
    ];
  },
};

interface Message {
  readonly encoded: Uint8Array;
  readonly key: VerificationKey;
  readonly bare: () => boolean;
}

function checksOfMessages(): { open: (index: number) => void; bare: (index: number) => void } {
  const crypto = createNodeCrypto();
  const messages = Array.from({ length: 8 }, signedBySomebody);
  const at = (index: number): Message => {
    const message = messages[index % messages.length];
    if (message === undefined) throw new Error('there are no messages to check');
    return message;
  };
  return {
    open: (index) => {
      const { encoded, key } = at(index);
      const opened = openSigned(AcceptanceMessage, encoded, key, crypto);
      if (opened.status === 'refused') throw new Error(`a good message is refused: ${opened.reason}`);
    },
    bare: (index) => {
      if (!at(index).bare()) throw new Error('a good signature is refused');
    },
  };
}

function signedBySomebody(): Message {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const encoded = signMessage(AcceptanceMessage, madeAcceptance(), (input) => new Uint8Array(sign(null, input, privateKey)));
  const envelope = decodeStrict(Envelope, encoded, encoded.length);
  if (envelope.status === 'malformed') throw new Error(envelope.detail);
  const input = signingInput(AcceptanceMessage.domain, envelope.value.body);
  const { signature } = envelope.value;
  const bareKey = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' }));
  const raw = Uint8Array.from(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'));
  return { encoded, key: { algorithm: 'ed25519', publicKey: raw }, bare: () => verify(null, input, bareKey, signature) };
}
