/**
 * What may be handed to a broker. Specification §5.4, MQTT 5 §1.5.4, §3.3 and §4.7.
 *
 * A broker ends the connection of whoever sends a malformed or too large packet, and a client library sends an
 * unacknowledged packet again after each reconnection: one such publication would keep its sender off the net for ever.
 */
import { LIMITS } from './limits.ts';
import type { PublishOptions } from './mqtt-port.ts';
import { isTopicName } from './topics.ts';

/** Fixed header, packet identifier, lengths of topic and properties, and the property of expiry: under 32 bytes. */
const HEAD_BYTES = 64;

/** Whether any broker of ours takes this packet; one that it doesn't must never be sent. */
export function isPublishable(topic: string, payload: Uint8Array, options: PublishOptions): boolean {
  const { responseTopic, contentType = '', correlationData } = options;
  if (!isTopicName(topic) || (responseTopic !== undefined && !isTopicName(responseTopic))) return false;
  if (!isPlainText(contentType) || contentType.length > LIMITS.topicCharactersMax) return false;
  const correlationBytes = correlationData?.length ?? 0;
  if (correlationBytes > LIMITS.correlationBytesMax) return false;
  const words = utf8Length(topic) + utf8Length(responseTopic ?? '') + utf8Length(contentType);
  return HEAD_BYTES + words + correlationBytes + payload.length <= LIMITS.packetBytesMax;
}

/** Mosquitto closes on the characters of which MQTT says that a receiver may (MQTT 5 §1.5.4). */
function isPlainText(words: string): boolean {
  return words.isWellFormed() && !/[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(words);
}

function utf8Length(words: string): number {
  return new TextEncoder().encode(words).length;
}
