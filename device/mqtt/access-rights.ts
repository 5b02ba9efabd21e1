/** Who may write and read which topics of a device's brokers, as the lines of Mosquitto's ACL files. Pure. Specification §5.3. */
import {
  BOX_DOWN,
  BOX_UP,
  CLIENT_REQUESTS,
  FENCED_DOWN,
  FENCED_UP,
  pairingTopic,
  topicFilter,
  topicRoot,
  type NetworkLabel,
} from '#protocol/topics.ts';
import { plain } from './configuration-text.ts';

interface Device {
  readonly network: NetworkLabel;
  readonly device: string;
}

/** Clients that may read, or also operate, the boxes of this device (§17.2-17.3), and the one of Home Assistant (§17.6). */
export interface BoxPeople {
  readonly observers: readonly string[];
  readonly operators: readonly string[];
  readonly homeAssistant?: string;
}

export const NOBODY: BoxPeople = { observers: [], operators: [] };

/** `%u` is the common name of the certificate. A `topic` rule would hold for nameless users only, hence `pattern`. */
export function clientRights(of: Device & { readonly people: BoxPeople }): string[] {
  const { network, device } = of;
  return [
    ...CLIENT_REQUESTS.filter((request) => request !== 'control').map(
      (request) => `pattern write ${topicFilter(network, device, 'clients', '%u', request)}`,
    ),
    `pattern read ${topicFilter(network, device, 'clients', '%u', '#')}`,
    `pattern read ${topicFilter(network, device, 'status')}`,
    `pattern read ${topicFilter(network, device, 'chain')}`,
    ...peopleRights(of),
  ];
}

/** A `topic` rule is of the `user` above it. */
function peopleRights({ network, device, people }: Device & { readonly people: BoxPeople }): string[] {
  const { observers, operators, homeAssistant } = people;
  return [...new Set([...observers, ...operators, ...(homeAssistant === undefined ? [] : [homeAssistant])])].flatMap((name) => [
    `user ${plain(name)}`,
    `topic read ${topicFilter(network, device, 'sensors', '+', '+')}`,
    `topic read ${topicFilter(network, device, 'control', '+', 'state')}`,
    ...(operators.includes(name) ? [`topic write ${topicFilter(network, device, 'clients', name, 'control')}`] : []),
    ...(name === homeAssistant ? ['topic read homeassistant/#', 'topic write homeassistant/status'] : []),
  ]);
}

/** Mosquitto looks at what is denied first, whatever the patterns allow. */
function fencedRights({ network, device }: Device, box: string): string[] {
  const of = (direction: string, kind: string): string => `topic deny ${topicFilter(network, device, 'hpc', box, direction, kind)}`;
  return [
    `user ${plain(box)}`,
    ...BOX_UP.filter((kind) => !FENCED_UP.includes(kind)).map((kind) => of('up', kind)),
    ...BOX_DOWN.filter((kind) => !FENCED_DOWN.includes(kind)).map((kind) => of('down', kind)),
  ];
}

/** Nothing that it writes is taken (§6.7). */
function silencedRights({ network, device }: Device, box: string): string[] {
  return [`user ${plain(box)}`, ...BOX_UP.map((kind) => `topic deny ${topicFilter(network, device, 'hpc', box, 'up', kind)}`)];
}

function homeRights({ homeAssistant }: BoxPeople): string[] {
  return homeAssistant === undefined ? [] : ['pattern readwrite homeassistant/#'];
}

/** @param of with the names of boxes that are cut off (§17.2), and of those that are left alone for a while (§6.7) */
export function boxRights(of: Device & { readonly fenced: readonly string[]; readonly silenced: readonly string[] }): string[] {
  const { network, device } = of;
  return [
    ...BOX_UP.map((kind) => `pattern write ${topicFilter(network, device, 'hpc', '%u', 'up', kind)}`),
    `pattern read ${topicFilter(network, device, 'hpc', '%u', 'down', '#')}`,
    `pattern read ${topicFilter(network, device, 'status')}`,
    ...of.fenced.flatMap((box) => fencedRights(of, box)),
    ...of.silenced.flatMap((box) => silencedRights(of, box)),
  ];
}

export function peerRights(network: NetworkLabel, device: string): string[] {
  return [
    `pattern read ${topicFilter(network, 'gossip', '#')}`,
    `pattern read ${topicFilter(network, device, 'peers', '%u', '+')}`,
    `pattern read ${topicFilter(network, device, 'status')}`,
    `pattern read ${topicFilter(network, device, 'chain')}`,
  ];
}

/** `%c` is the client id: a stranger connects with the id of its session, so that nobody sees another's answers. */
export function pairingRights(): string[] {
  return [`pattern write ${pairingTopic('%c', 'request')}`, `pattern read ${pairingTopic('%c', 'response')}`];
}

/** The firmware's own: everything of its network. */
export function localRights(network: NetworkLabel, people: BoxPeople = NOBODY): string[] {
  return [`pattern readwrite ${topicRoot(network)}/#`, ...homeRights(people)];
}
