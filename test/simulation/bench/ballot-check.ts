/** One ballot read and its real signature checked, as each of a decision is. */
import { randomBytes } from 'node:crypto';
import { BallotMessage } from '#protocol/chain/ballot.ts';
import { isSignedBy, readSigned, signMessage } from '#protocol/signed.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { realKeySource } from '../real-keys.ts';

export function ballotCheck(): () => void {
  const crypto = createNodeCrypto();
  const { publicKey, sign } = realKeySource('member-0').operationalKey('boot');
  const [network, instance, value, node] = Array.from({ length: 4 }, () => new Uint8Array(randomBytes(32))) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const envelope = signMessage(BallotMessage, { network, instance, round: 0, step: 'prevote', value, node }, sign);
  return () => {
    const read = readSigned(BallotMessage, envelope);
    if (read.status === 'malformed' || !isSignedBy(BallotMessage, read.value, { algorithm: 'ed25519', publicKey }, crypto))
      throw new Error('a good ballot is refused');
  };
}
