/** Discovery messages at a real broker, against the documented schema (test/vectors/home-assistant). Specification §17.6. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { decodeJson } from '#protocol/codec.ts';
import { PowerCommand } from '#protocol/control-messages.ts';
import { topicOf, type Topic } from '#protocol/topics.ts';
import { HomeAssistant } from '../../../device/control/home-assistant.ts';
import type { HeldBox } from '../../../device/control/held-box.ts';
import type { Publisher } from '../../../device/ports.ts';
import { MemoryHardware } from '../../unit/control/world.ts';
import { attack, credential, DEVICE, NETWORK, startBench, until, type BrokerBench } from '../mqtt/broker-bench.ts';

interface Fields {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}
type Words = Readonly<Record<string, unknown>>;

const schema = JSON.parse(readFileSync(new URL('../../vectors/home-assistant/discovery.json', import.meta.url), 'utf8')) as {
  readonly message: Fields & { readonly device: Fields; readonly origin: Fields };
  readonly components: Readonly<Record<string, Fields>>;
  readonly device_classes: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly state_classes: readonly string[];
};

let bench: BrokerBench;
let home: HomeAssistant;
const messages: { topic: string; words: string; retained: boolean }[] = [];
const box = { name: 'box-1', hardware: new MemoryHardware(Date.now) } as unknown as HeldBox;

before(async () => {
  bench = await startBench({ observers: [], operators: ['home'], homeAssistant: 'home' });
  const publisher: Publisher = {
    publish: (topic: Topic, payload, options) => publisher.publishTo(topicOf(NETWORK, topic), payload, options),
    publishTo: (topic, payload, options) =>
      void bench.own.publish(topic, typeof payload === 'string' ? new TextEncoder().encode(payload) : payload, options),
  };
  home = new HomeAssistant(publisher, { network: NETWORK, device: DEVICE, version: '1', client: 'home' });
  await home.listen(bench.own, () => [box]);
  home.show([box]);
});
after(() => bench.stop());

async function homeAssistant() {
  const client = await attack(bench, 'clients', credential(bench, 'client', 'home'));
  client.on('message', (topic, payload, packet) => void messages.push({ topic, words: payload.toString(), retained: packet.retain }));
  await client.subscribeAsync('homeassistant/#', { qos: 1 });
  return client;
}

function requireFields(value: Words, { required, optional }: Fields, where: string): void {
  for (const field of required) assert.ok(field in value, `${where} lacks ${field}`);
  for (const field of Object.keys(value)) assert.ok(required.includes(field) || optional.includes(field), `${where} has ${field}`);
}

test('the retained message of a box fits the documented schema, and is said again when Home Assistant comes back (§17.6)', async () => {
  const client = await homeAssistant();
  await until(() => messages.length === 1, 'the message is there for whoever comes later');
  const [first] = messages;
  assert.ok(first?.retained);
  assert.match(first.topic, /^homeassistant\/device\/[a-zA-Z0-9_-]+\/config$/);
  const message = JSON.parse(first.words) as Words & { device: Words; origin: Words; components: Readonly<Record<string, Words>> };
  requireFields(message, schema.message, 'the message');
  requireFields(message.device, schema.message.device, 'device');
  requireFields(message.origin, schema.message.origin, 'origin');
  const platforms = Object.values(message.components).map((component) => String(component['platform']));
  assert.deepEqual(platforms.sort(), ['binary_sensor', 'sensor', 'sensor', 'switch']);
  for (const [id, component] of Object.entries(message.components)) {
    const platform = String(component['platform']);
    assert.ok(schema.components[platform], platform);
    requireFields(component, schema.components[platform], id);
    assert.equal(component['unique_id'], id);
    const { device_class: kind, state_class: state } = component as { device_class?: string; state_class?: string };
    const units = schema.device_classes[platform]?.[kind ?? ''];
    if (kind !== undefined) assert.ok(units, kind);
    if (units && units.length > 0) assert.ok(units.includes(String(component['unit_of_measurement'])));
    if (state !== undefined) assert.ok(schema.state_classes.includes(state));
  }
  await client.publishAsync('homeassistant/status', 'online', { qos: 1 });
  await until(() => messages.filter(({ topic }) => topic === first.topic).length === 2, 'it is said again');
});

test('what its switch sends is a command to the box, on the topic where its client may write (§17.6)', () => {
  const message = JSON.parse(messages[0]?.words ?? '{}') as { components: Readonly<Record<string, Words>> };
  const found = Object.values(message.components).find(({ platform }) => platform === 'switch');
  assert.equal(found?.['command_topic'], topicOf(NETWORK, { to: 'client', device: DEVICE, client: 'home', kind: 'control' }));
  for (const value of [found['payload_on'], found['payload_off']]) {
    // As Home Assistant renders the template at 1,700,000,000.5 s.
    const words: string = String(found['command_template'])
      .replace('{{ value }}', String(value))
      .replace(/\{\{ '%032x'[^}]*\}\}/, (1_700_000_000_500_000).toString(16).padStart(32, '0'))
      .replace(/\{\{ \(now[^}]*\}\}/, '1700000000500');
    const decoded = decodeJson(PowerCommand, new TextEncoder().encode(words), 4_096);
    assert.ok(decoded.status === 'decoded', words);
    assert.deepEqual([decoded.value.box, decoded.value.madeAtMs], ['box-1', 1_700_000_000_500]);
  }
});

test('a box that is let go of is taken back from Home Assistant (§17.6)', async () => {
  home.show([]);
  await until(() => messages.at(-1)?.words === '', 'an empty message takes it back');
});
