/**
 * Signed actions: what a member says with its operational key. Specification §11.3.
 *
 * The author stands under the signature: a voucher shows that a chip holds a digest of a key, not who knows its secret, so a member
 * could register the key of another and pass that one's actions off as its own.
 */
import { decodeStrict, encodeStrict, type Decoded } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { domainDigest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { signingInput, type Sign } from '../signed.ts';
import { Action, encodeTransaction, type TransactionOf } from './transaction.ts';

export interface Author {
  /** Node id. */
  readonly by: Uint8Array;
  /** Its operational key, Ed25519. */
  readonly key: Uint8Array;
}

/** An encoded transaction. @param network id. @param sign with the secret of `key` */
export function signAction(network: Uint8Array, { by, key }: Author, action: Action, sign: Sign): Uint8Array {
  const body = encodeStrict(Action, action);
  return encodeTransaction({ kind: 'signed', by, key, body, signature: sign(actionInput(network, by, body)) });
}

export function isSignatureRight(crypto: Crypto, network: Uint8Array, { by, key, body, signature }: TransactionOf<'signed'>): boolean {
  return crypto.verifyEd25519(key, actionInput(network, by, body), signature);
}

export function decodeAction(body: Uint8Array): Decoded<Action> {
  return decodeStrict(Action, body, LIMITS.signedBytesMax);
}

function actionInput(network: Uint8Array, by: Uint8Array, body: Uint8Array): Uint8Array {
  return signingInput('action', domainDigest('action', network, by, body));
}
