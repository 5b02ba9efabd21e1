/** The door at which strangers knock while a window is open: the pairing broker, and the talks at it. Specification §5.6. */
import { join } from 'node:path';
import { networkLabel, type Network } from '#protocol/network.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { refusePairing } from '#protocol/pairing.ts';
import { pairingSessionOf, pairingTopic } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../limits.ts';
import type { Authority } from '../mqtt/authority.ts';
import type { Ports } from '../mqtt/broker-configuration.ts';
import type { Broker, BrokerEvent } from '../mqtt/broker.ts';
import { connect } from '../mqtt/connection.ts';
import { startPairingBroker } from '../mqtt/device-broker.ts';
import type { Log } from '../ports.ts';
import { VerifierTalk, type TalkPlace } from './verifier-talk.ts';

export interface ReceptionOptions {
  readonly stateFolder: string;
  readonly network: Network;
  readonly device: string;
  readonly ports: Ports;
  readonly address?: string;
  /** Whether boxes come through another broker as well (§5.7). */
  readonly relayed?: boolean;
  readonly authority: Authority;
  readonly log: Log;
}

export class Reception {
  readonly #options: ReceptionOptions;
  readonly #place: TalkPlace;
  readonly #talks = new Map<string, VerifierTalk>();
  #open: { broker: Broker; connection: Connection } | undefined;

  constructor(options: ReceptionOptions, place: TalkPlace) {
    this.#options = options;
    this.#place = place;
  }

  async keep(wanted: 'open' | 'closed'): Promise<void> {
    if (wanted === 'open' && !this.#open) this.#open = await this.#start();
    if (wanted === 'closed' && this.#open) {
      const { broker, connection } = this.#open;
      this.#open = undefined;
      this.#talks.clear();
      await connection.close();
      await broker.stop();
      this.#options.log('pairingClosed');
    }
  }

  async #start(): Promise<{ broker: Broker; connection: Connection }> {
    const { stateFolder, network, device, authority, ports, address, relayed = false, log } = this.#options;
    const broker = await startPairingBroker({
      ...{ network: networkLabel(network), device, authority, ports, relayed },
      ...(address === undefined ? {} : { address }),
      folder: join(stateFolder, 'pairing-broker'),
      onEvent: ({ event, ...fields }: BrokerEvent): void => log(event, { broker: 'pairing', ...fields }),
    });
    const connection = connect({ socket: broker.socket });
    await connection.subscribe(pairingTopic('+', 'request'), (message) => void this.#hear(connection, message));
    log('pairingOpened', { port: ports.pairing });
    return { broker, connection };
  }

  /** A disk that is full, or a TPM that does not answer, shall not end the firmware because a stranger asked. */
  async #hear(connection: Connection, { topic, payload }: Incoming): Promise<void> {
    const session = pairingSessionOf(topic);
    if (session === undefined) return;
    const answer = await this.#talkOf(session)
      .answer(payload)
      .catch((error: unknown) => {
        this.#options.log('pairingFailed', { detail: error instanceof Error ? error.message : String(error) });
        return refusePairing('failed', 'the device has failed; its log says why');
      });
    if (answer) void connection.publish(pairingTopic(session, 'response'), answer, { expirySeconds: MQTT_LIMITS.pairingAnswerMs / 1_000 });
  }

  #talkOf(session: string): VerifierTalk {
    const known = this.#talks.get(session);
    if (known) return known;
    const { now } = this.#place;
    for (const [id, { beganAtMs }] of this.#talks)
      if (beganAtMs + MQTT_LIMITS.pairingTalkMs < now() || this.#talks.size >= MQTT_LIMITS.pairingTalksMax) this.#talks.delete(id);
    const talk = new VerifierTalk(this.#place);
    this.#talks.set(session, talk);
    return talk;
  }
}
