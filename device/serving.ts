/** The device at its own broker: publications out, messages of clients and boxes in. Specification §5. */
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { CLIENT_REQUESTS, parseTopic, topicFilter, topicOf, type ClientRequest, type NetworkLabel, type Topic } from '#protocol/topics.ts';
import type { BoxDoor } from './hpc/box-door.ts';
import type { CapsuleRooms } from './capsule-rooms.ts';
import type { Log, Publisher } from './ports.ts';

/** Publishes on the device's broker; what the broker doesn't take is said again by the duties of whoever depends on it. */
export function publisherOn(connection: Connection, network: NetworkLabel, log: Log): Publisher {
  const publishTo: Publisher['publishTo'] = (topic, payload, options) => {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    void connection.publish(topic, bytes, options).then((outcome) => {
      if (outcome !== 'acknowledged') log('publicationFailed', { topic, outcome, bytes: bytes.length });
    });
  };
  return { publishTo, publish: (topic: Topic, payload, options) => publishTo(topicOf(network, topic), payload, options) };
}

/** Resolves when the broker has confirmed that requests and reports will come; from then on says again what it lost. */
export async function serve(
  connection: Connection,
  place: { network: NetworkLabel; device: string },
  { gateway, orders, controller }: CapsuleRooms,
  { door, log }: { readonly door: BoxDoor; readonly log: Log },
): Promise<void> {
  const { network, device } = place;
  await connection.subscribe(topicFilter(network, device, 'hpc', '+', 'up', '#'), (message) => {
    const topic = parseTopic(network, message.topic);
    if (topic?.to !== 'box' || topic.direction !== 'up' || message.retained) return;
    if (door.admits(topic.box, topic.kind, message.payload.length)) controller.boxSaid(topic.box, topic.kind, message.payload);
  });
  for (const request of CLIENT_REQUESTS) {
    await connection.subscribe(topicFilter(network, device, 'clients', '+', request), (message) => {
      const topic = parseTopic(network, message.topic);
      if (topic?.to === 'client' && !message.retained) hearClient(topic.client, request, message);
    });
  }

  const retained = gateway.retainedNews(orders);
  connection.onState((state) => (state === 'connected' ? retained.begin() : retained.end()));
  retained.begin();

  function hearClient(client: string, kind: ClientRequest, { payload, contentType, responseTopic, correlationData }: Incoming): void {
    const message = {
      client,
      kind,
      payload,
      ...(contentType === undefined ? {} : { contentType }),
      ...(responseTopic === undefined ? {} : { responseTopic }),
      ...(correlationData === undefined ? {} : { correlationData }),
    };
    gateway.clientSaid(message, orders).catch((error: unknown) => {
      log('requestFailed', { client, kind, error: error instanceof Error ? error.message : 'unknown' });
    });
  }
}
