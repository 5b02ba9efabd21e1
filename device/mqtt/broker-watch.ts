/**
 * Whether the own broker still serves. Specification §5.3. A certified client may leave sessions behind, each with its
 * queue, and Mosquitto 2.0 keeps them for an hour at least: at its memory limit it runs on and lets nobody in. Starting
 * anew forgets all sessions; ours are clean and come back within a moment.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '#protocol/limits.ts';
import { MQTT_LIMITS } from '../limits.ts';
import type { Broker } from './broker.ts';
import { connect } from './connection.ts';

/** Outside the rights of everybody, so that the broker answers with a refusal and nobody hears it. */
const PROBE_TOPIC = 'capstan/probe';

export interface BrokerWatch {
  stop(): Promise<void>;
}

/** Abandons a broker that is about to run out of memory, or no longer answers on its own socket. */
export function watchBroker(broker: Broker, socket: string, memoryBytesMax: number): BrokerWatch {
  const connection = connect({ socket });
  // As large as a piece of a blob: an empty message may find room where that no longer does.
  const probe = new Uint8Array(LIMITS.chunkBytesMax);
  const answers = async (): Promise<boolean> => {
    const answered = connection.publish(PROBE_TOPIC, probe).then(() => true);
    // In halves, because a standstill of the firmware itself may use up one of them.
    return (await within(answered)) || (await within(answered));
  };
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    if (broker.residentBytes() > MQTT_LIMITS.brokerMemoryFullPart * memoryBytesMax) broker.abandon('its memory is nearly full');
    else if (!(await answers()) && broker.runningMs() > MQTT_LIMITS.brokerSilentMs) broker.abandon('it no longer answered');
    looking = false;
  };
  const timer = setInterval(() => void look(), MQTT_LIMITS.brokerWatchMs);
  return {
    async stop() {
      clearInterval(timer);
      await connection.close();
    },
  };
}

function within(answered: Promise<boolean>): Promise<boolean> {
  return Promise.race([answered, sleep(MQTT_LIMITS.brokerSilentMs / 2, false, { ref: false })]);
}
