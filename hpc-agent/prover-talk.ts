/** The invited side's talk with a device: greets, shares, compares confirmations, asks under seal. Specification §5.6. */
import { randomBytes } from 'node:crypto';
import { encodeStrict } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import {
  codeInput,
  decodeAnswer,
  exchangeOf,
  openGrant,
  PairingCall,
  pairingDigits,
  sameMac,
  sealRequest,
  type PairingAnswer,
  type PairingGrant,
  type PairingRequest,
  type Scene,
} from '#protocol/pairing.ts';
import type { PairingCode, WindowAddress } from '#protocol/pairing-code.ts';
import { finishProver, proverSecretOf, proverShare, scalarOf, type ExchangeKeys } from '#protocol/spake2plus.ts';
import { pairingTopic } from '#protocol/topics.ts';
import { pairingRepeatMs, pairingThroughWaitMs, pairingWaitMs } from './limits.ts';
import { nodeAead, stretchAside } from './pairing-cipher.ts';

const ANOTHER_WINDOW = `a window ends when it is used, after ${LIMITS.pairingWindowMs / 60_000} minutes or ${LIMITS.pairingAttemptsMax} wrong codes, and npm run pair -- open at the device opens another`;

/**
 * Pairing failed. `code` is a word of `PAIRING_REFUSALS` or `GRANT_REFUSALS`, or `wrong-code`, `no-answer`, `interrupted`,
 * `foreign-answer`, `other-holder`.
 */
export class PairingFailed extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A connection to a pairing broker, with the certificate that its TLS server showed last. */
export interface StrangerLine {
  readonly session: string;
  readonly connection: Connection;
  /** DER; `undefined` before the first connection. */
  readonly certificate: () => Uint8Array | undefined;
}

export type Granted = PairingGrant & { readonly status: 'granted' };

export interface TalkResult {
  readonly scene: Scene;
  readonly grant: Granted;
  /** Shown at both ends. */
  readonly digits: string;
}

/** @param prepare makes the request for the device of this name, before an attempt is spent @throws PairingFailed */
export async function talkToDevice(
  line: StrangerLine,
  address: WindowAddress,
  code: PairingCode,
  prepare: (device: string) => Promise<PairingRequest>,
): Promise<TalkResult> {
  const { kind, name } = address;
  const asker = await Asker.open(line, address);
  const proverNonce = new Uint8Array(randomBytes(32));
  const greeting = await asker.ask({ call: 'greet', version: 1, kind, name, nonce: proverNonce }, 'greeting');
  const { network, device, node, nonce: verifierNonce, salt } = greeting;
  const request = await prepare(device);
  const certificate = line.certificate() ?? new Uint8Array();
  const scene: Scene = { network, device, node, kind, name, proverNonce, verifierNonce, certificate };
  const secret = proverSecretOf(await stretchAside(codeInput(code, kind, name, node), salt));
  const x = scalarOf(new Uint8Array(randomBytes(48)));
  const shared = await asker.ask({ call: 'share', share: proverShare(secret, x) }, 'share');
  const keys = finishProver(exchangeOf(scene), secret, x, shared.share);
  if (!keys || !sameMac(shared.confirmation, keys.confirmV)) {
    await asker.say({ call: 'abandon' });
    throw new PairingFailed(
      'wrong-code',
      `this is not the code of the ${kind} "${name}" at that device, or its window is closed or used, or somebody stands in between; nothing was given away. Compare the code and the name with what the device shows; ${ANOTHER_WINDOW}`,
    );
  }
  const { sealed, body } = sealRequest(nodeAead, keys.shared, request);
  const answer = await asker.ask({ call: 'confirm', confirmation: keys.confirmP, sealed }, 'grant');
  return { scene, ...requireGrant(answer.sealed, keys, body, device) };
}

function requireGrant(sealed: Uint8Array, keys: ExchangeKeys, request: Uint8Array, device: string): { grant: Granted; digits: string } {
  const opened = openGrant(nodeAead, keys.shared, sealed);
  if (opened.status === 'unsealed') throw new PairingFailed('foreign-answer', `what came as the grant of ${device} is not sealed by it`);
  if (opened.value.status === 'refused')
    throw new PairingFailed(opened.value.reason, `device ${device} refused to pair: ${opened.value.detail}`);
  return { grant: opened.value, digits: pairingDigits(keys.shared, request, opened.body) };
}

type Answer<K extends PairingAnswer['answer']> = PairingAnswer & { answer: K };

/** Says a call until it is answered: the device may be about to open its door, and messages may be lost. */
class Asker {
  readonly #line: StrangerLine;
  readonly #certificate: string | undefined;
  #hear: (answer: PairingAnswer) => void = () => undefined;

  private constructor(line: StrangerLine) {
    this.#line = line;
    this.#certificate = line.certificate()?.toHex();
  }

  static async open(line: StrangerLine, { url, through }: WindowAddress): Promise<Asker> {
    const late: { asker?: Asker } = {};
    // What can't be read is nobody's answer: whoever may disturb may not end the talk with a byte.
    line.connection
      .subscribe(pairingTopic(line.session, 'response'), ({ payload }) => {
        const decoded = decodeAnswer(payload);
        if (decoded.status === 'decoded' && late.asker) late.asker.#hear(decoded.value);
      })
      .catch(() => undefined);
    const waitMs = through === undefined ? pairingWaitMs : pairingThroughWaitMs;
    await line.connection.connected(waitMs).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new PairingFailed(
        'no-answer',
        `nobody waits for pairing at ${url}${through === undefined ? '' : `/${through}`} (${why}). A device listens there while a window is open; ${ANOTHER_WINDOW}`,
      );
    });
    return (late.asker = new Asker(line));
  }

  async say(call: PairingCall): Promise<void> {
    const expirySeconds = Math.ceil(pairingRepeatMs / 1_000);
    await this.#line.connection.publish(pairingTopic(this.#line.session, 'request'), encodeStrict(PairingCall, call), { expirySeconds });
  }

  async ask<K extends PairingAnswer['answer']>(call: PairingCall, wanted: K): Promise<Answer<K>> {
    const heard = Promise.withResolvers<Answer<K>>();
    this.#hear = (answer) => {
      if (answer.answer === wanted) heard.resolve(answer as Answer<K>);
      else if (answer.answer === 'refused') heard.reject(refusal(answer));
    };
    void this.say(call);
    const repeat = setInterval(() => void this.say(call), pairingRepeatMs);
    const timer = setTimeout(
      () => heard.reject(new PairingFailed('no-answer', 'the device did not answer; run the same command again')),
      pairingWaitMs,
    );
    try {
      const answer = await heard.promise;
      this.#requireSameServer();
      return answer;
    } finally {
      clearInterval(repeat);
      clearTimeout(timer);
    }
  }

  /** The exchange is bound to one certificate; a device that was started anew has another. */
  #requireSameServer(): void {
    if (this.#line.certificate()?.toHex() === this.#certificate) return;
    throw new PairingFailed('interrupted', 'the device was started anew meanwhile; run the same command again');
  }
}

function refusal({ reason, detail }: PairingAnswer & { answer: 'refused' }): PairingFailed {
  if (reason === 'out-of-turn') return new PairingFailed('interrupted', 'the device has forgotten this talk; run the same command again');
  return new PairingFailed(reason, `the device does not pair: ${detail}`);
}
