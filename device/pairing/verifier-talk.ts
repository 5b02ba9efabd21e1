/** One stranger's talk with this device, call by call, from the greeting to the grant. Specification §5.6. */
import { randomBytes } from 'node:crypto';
import { encodeStrict } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import {
  decodeCall,
  exchangeOf,
  openRequest,
  PairingAnswer,
  pairingDigits,
  refusePairing,
  sameMac,
  sealGrant,
  type PairingCall,
  type Scene,
} from '#protocol/pairing.ts';
import { finishVerifier, isShare, verifierShare, type ExchangeKeys } from '#protocol/spake2plus.ts';
import { MQTT_LIMITS } from '../limits.ts';
import { nodeAead } from './pairing-cipher.ts';
import { answerRequest, type DeskOutcome, type PairingDesk } from './pairing-desk.ts';
import type { OpenWindow } from './window-folder.ts';
import type { WindowKeeper } from './window-keeper.ts';

export interface TalkPlace {
  readonly keeper: WindowKeeper;
  readonly desk: PairingDesk;
  readonly network: Uint8Array;
  readonly device: string;
  readonly node: Uint8Array;
  /** The TLS certificate of this device's broker, DER. */
  readonly certificate: Uint8Array;
  readonly onOutcome: (outcome: DeskOutcome) => void;
  readonly now: () => number;
}

type Stage =
  | { readonly at: 'beginning' | 'over' }
  | { readonly at: 'greeted'; readonly scene: Scene; readonly window: OpenWindow | undefined }
  | { readonly at: 'shared'; readonly scene: Scene; readonly window: OpenWindow | undefined; readonly keys: ExchangeKeys };

/** Calls are answered one after the other; one that comes again gets the answer that it has got. */
export class VerifierTalk {
  readonly beganAtMs: number;
  readonly #place: TalkPlace;
  readonly #answers = new Map<string, Promise<Uint8Array | undefined>>();
  #turn: Promise<unknown> = Promise.resolve();
  #stage: Stage = { at: 'beginning' };

  constructor(place: TalkPlace) {
    this.#place = place;
    this.beganAtMs = place.now();
  }

  /** @returns nothing where nothing is to be said */
  answer(encoded: Uint8Array): Promise<Uint8Array | undefined> {
    const id = blobDigest(encoded).toHex();
    const known = this.#answers.get(id);
    if (known) return known;
    if (this.#answers.size >= MQTT_LIMITS.pairingCallsMax) return Promise.resolve(undefined);
    const answer = this.#turn.then(() => this.#hear(encoded));
    this.#turn = answer.catch(() => (this.#stage = { at: 'over' }));
    this.#answers.set(id, answer);
    return answer;
  }

  async #hear(encoded: Uint8Array): Promise<Uint8Array | undefined> {
    const decoded = decodeCall(encoded);
    if (decoded.status === 'malformed') return refusePairing('malformed', decoded.detail);
    const call = decoded.value;
    const stage = this.#stage;
    if (call.call === 'greet' && stage.at === 'beginning') return this.#greet(call);
    if (call.call === 'share' && stage.at === 'greeted') return this.#share(call.share, stage);
    if (call.call === 'confirm' && stage.at === 'shared') return this.#confirm(call, stage);
    if (call.call === 'abandon') return this.#abandon(stage);
    return refusePairing('out-of-turn', 'this call does not follow the last one; begin anew');
  }

  #greet({ kind, name, nonce }: PairingCall & { call: 'greet' }): Uint8Array {
    const { keeper, network, device, node, certificate } = this.#place;
    const verifierNonce = new Uint8Array(randomBytes(32));
    const scene = { network, device, node, kind, name, proverNonce: nonce, verifierNonce, certificate };
    this.#stage = { at: 'greeted', scene, window: keeper.find(kind, name) };
    const salt = keeper.saltFor(kind, name);
    return encodeStrict(PairingAnswer, { answer: 'greeting', network, device, node, nonce: verifierNonce, salt });
  }

  /** The confirmation lets its receiver test one code, so the attempt is counted before it is said. */
  async #share(shareP: Uint8Array, { scene, window }: Stage & { at: 'greeted' }): Promise<Uint8Array> {
    const { keeper } = this.#place;
    if (!isShare(shareP)) return this.#end(refusePairing('malformed', 'the share must be a point of P-256, uncompressed'));
    if ((await keeper.countAttempt(window, { kind: scene.kind, name: scene.name })) === 'spent')
      return this.#end(refusePairing('closed', 'there have been too many attempts; the owner of the device must open a new window'));
    const [record, y] = [keeper.recordOf(window), keeper.freshScalar()];
    const keys = finishVerifier(exchangeOf(scene), record, y, shareP);
    if (!keys) return this.#end(refusePairing('malformed', 'the share leads to the identity'));
    this.#stage = { at: 'shared', scene, window, keys };
    return encodeStrict(PairingAnswer, { answer: 'share', share: verifierShare(record, y), confirmation: keys.confirmV });
  }

  async #confirm(call: PairingCall & { call: 'confirm' }, { window, keys }: Stage & { at: 'shared' }): Promise<Uint8Array> {
    const { keeper } = this.#place;
    if (!sameMac(call.confirmation, keys.confirmP) || !window) {
      await keeper.attemptFailed(window);
      return this.#end(refusePairing('not-confirmed', 'the confirmation does not hold'));
    }
    if (!keeper.isOpen(window)) return this.#end(refusePairing('closed', 'the window has been closed meanwhile'));
    const request = openRequest(nodeAead, keys.shared, call.sealed);
    if (request.status === 'unsealed') return this.#end(refusePairing('malformed', 'the request was not sealed with this key'));
    const { grant, outcome } = answerRequest(this.#place.desk, window, request.value, this.#place.now());
    const { sealed, body } = sealGrant(nodeAead, keys.shared, grant);
    const digits = pairingDigits(keys.shared, request.body, body);
    if (outcome.outcome === 'paired') {
      const { authority, certificate } = outcome;
      await keeper.use(window, { window: 'used', authority, certificate, digits });
    } else await keeper.attemptFailed(window);
    this.#place.onOutcome(outcome);
    return this.#end(encodeStrict(PairingAnswer, { answer: 'grant', sealed }));
  }

  async #abandon(stage: Stage): Promise<undefined> {
    this.#stage = { at: 'over' };
    if (stage.at === 'shared') await this.#place.keeper.attemptFailed(stage.window);
  }

  #end(answer: Uint8Array): Uint8Array {
    this.#stage = { at: 'over' };
    return answer;
  }
}
