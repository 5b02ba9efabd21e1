/**
 * Boxes as devices of Home Assistant: MQTT discovery messages, retained, and said again when it comes back. Specification §17.6.
 * The field names are those of Home Assistant's "device discovery payload" and of its switch, sensor and binary_sensor.
 */
import type { Connection } from '#protocol/mqtt-port.ts';
import { topicOf, type NetworkLabel } from '#protocol/topics.ts';
import type { Quantity, SensorDefinition } from '../board/ports.ts';
import type { Publisher } from '../ports.ts';
import { BOX_STATES } from './box-state.ts';
import type { HeldBox } from './held-box.ts';

export interface HomePlace {
  readonly network: NetworkLabel;
  readonly device: string;
  readonly version: string;
  /** The client by which Home Assistant connects. */
  readonly client: string;
}

export type Component = Readonly<Record<string, string | number | readonly string[]>>;

/** In the words of Home Assistant: what a quantity is, its unit there, and how ours becomes it. */
const CLASSES: Readonly<
  Partial<Record<Quantity, { readonly device_class: string; readonly unit_of_measurement: string; readonly per: number }>>
> = {
  power: { device_class: 'power', unit_of_measurement: 'W', per: 1_000 },
  energy: { device_class: 'energy', unit_of_measurement: 'J', per: 1_000 },
  voltage: { device_class: 'voltage', unit_of_measurement: 'V', per: 1_000 },
  current: { device_class: 'current', unit_of_measurement: 'A', per: 1_000 },
  temperature: { device_class: 'temperature', unit_of_measurement: '°C', per: 1_000 },
};

export class HomeAssistant {
  readonly #publisher: Publisher;
  readonly #place: HomePlace;
  readonly #said = new Map<string, string>();

  constructor(publisher: Publisher, place: HomePlace) {
    this.#publisher = publisher;
    this.#place = place;
  }

  /** Hears when Home Assistant has started: then it may have missed what was said. */
  listen(own: Connection, boxes: () => Iterable<HeldBox>): Promise<void> {
    return own.subscribe('homeassistant/status', ({ payload }) => {
      if (new TextDecoder().decode(payload) !== 'online') return;
      this.forget();
      this.show(boxes());
    });
  }

  /** Says what is new; a box that is gone is taken back with an empty message. */
  show(boxes: Iterable<HeldBox>): void {
    const gone = new Set(this.#said.keys());
    for (const { name, hardware } of boxes) {
      gone.delete(name);
      const words = JSON.stringify(
        discoveryOf(this.#place, { name, sensors: hardware?.sensors ?? [], isSwitched: hardware !== undefined }),
      );
      if (this.#said.get(name) === words) continue;
      this.#said.set(name, words);
      this.#publisher.publishTo(this.#topicOf(name), words, { retain: true });
    }
    for (const name of gone) {
      this.#said.delete(name);
      this.#publisher.publishTo(this.#topicOf(name), '', { retain: true });
    }
  }

  forget(): void {
    this.#said.clear();
  }

  #topicOf(box: string): string {
    return `homeassistant/device/${idOf(this.#place, box)}/config`;
  }
}

/** The discovery message of one box. Pure. */
export function discoveryOf(
  place: HomePlace,
  box: { readonly name: string; readonly sensors: readonly SensorDefinition[]; readonly isSwitched: boolean },
) {
  const id = idOf(place, box.name);
  const stateTopic = topicOf(place.network, { to: 'box-state', device: place.device, box: box.name });
  const components: Record<string, Component> = {
    [`${id}_state`]: {
      ...{ platform: 'sensor', unique_id: `${id}_state`, name: 'State', device_class: 'enum', options: BOX_STATES },
      ...{ state_topic: stateTopic, value_template: '{{ value_json.state }}', json_attributes_topic: stateTopic },
    },
  };
  if (box.isSwitched) components[`${id}_power`] = powerSwitch(place, box.name, id, stateTopic);
  for (const sensor of box.sensors) components[`${id}_${sensor.name}`] = sensorOf(place, box.name, id, sensor);
  return {
    device: { identifiers: [id], name: `${box.name} at ${place.device}`, manufacturer: 'Capstan', model: 'HPC box' },
    origin: { name: 'capstan', sw_version: place.version },
    components,
  };
}

/** What it sends is a `PowerCommand`: made now, with an id of its own, so that a late copy switches nothing. */
function powerSwitch({ network, device, client }: HomePlace, box: string, id: string, stateTopic: string): Component {
  const nowMs = '{{ (now().timestamp() * 1000) | int }}';
  const request = "{{ '%032x' | format((now().timestamp() * 1000000) | int) }}";
  return {
    ...{ platform: 'switch', unique_id: `${id}_power`, name: 'Power', state_topic: stateTopic },
    ...{ value_template: '{{ value_json.power }}', state_on: 'on', state_off: 'off', payload_on: 'on', payload_off: 'soft-off' },
    command_topic: topicOf(network, { to: 'client', device, client, kind: 'control' }),
    command_template: `{"box":"${box}","verb":"{{ value }}","request":"${request}","madeAtMs":${nowMs}}`,
    qos: 1,
  };
}

function sensorOf({ network, device }: HomePlace, box: string, id: string, { name, quantity }: SensorDefinition): Component {
  const common = {
    unique_id: `${id}_${name}`,
    name,
    state_topic: topicOf(network, { to: 'sensor', device, box, sensor: name }),
  };
  if (quantity === 'intrusion' || quantity === 'disk') {
    const device_class = quantity === 'intrusion' ? 'tamper' : 'running';
    return {
      ...common,
      platform: 'binary_sensor',
      device_class,
      value_template: '{{ value_json.value }}',
      payload_on: '1',
      payload_off: '0',
    };
  }
  const known = CLASSES[quantity];
  if (!known)
    return {
      ...common,
      platform: 'sensor',
      unit_of_measurement: 'rpm',
      state_class: 'measurement',
      value_template: '{{ value_json.value }}',
    };
  const { per, ...words } = known;
  const state_class = quantity === 'energy' ? 'total_increasing' : 'measurement';
  return { ...common, platform: 'sensor', ...words, state_class, value_template: `{{ value_json.value / ${per} }}` };
}

/** Of letters, digits, hyphens and underscores, as Home Assistant wants ids. */
function idOf({ network, device }: HomePlace, box: string): string {
  return `capstan_${network}_${device}_${box}`;
}
