/** The control of a device's boxes put together: their wires by the configuration, the broker's rights. Specification §17. */
import { networkLabel, type Network } from '#protocol/network.ts';
import { randomBytes } from 'node:crypto';
import { openIpmiBox, openRedfishBox } from './bmc/open-box.ts';
import type { BoardDisplay } from './board/board-display.ts';
import type { BoxHardware } from './board/ports.ts';
import type { DeviceConfiguration } from './configuration.ts';
import { openBoard } from './configured-board.ts';
import { ControlDesk } from './control/desk.ts';
import { HomeAssistant } from './control/home-assistant.ts';
import { Control } from './control/host.ts';
import type { BoxPeople } from './mqtt/access-rights.ts';
import type { DeviceBroker } from './mqtt/device-broker.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import type { Log, Publisher } from './ports.ts';
import { FIRMWARE_VERSION } from './software.ts';
import type { Store } from './store/store.ts';

export interface BoxControlParts {
  readonly stateFolder: string;
  readonly configuration: DeviceConfiguration;
  readonly network: Network;
  readonly store: Store;
  readonly publisher: Publisher;
  readonly broker: DeviceBroker;
  readonly own: Connection;
  /** Of the board. */
  readonly display: BoardDisplay | undefined;
  readonly log: Log;
}

export interface BoxControl {
  readonly control: Control;
  /** The broker has lost what it retained. */
  republish(): void;
  /** To be called every `DEVICE_LIMITS.dutyIntervalMs`, once the pairing has told its boxes. */
  timePassed(): void;
  close(): Promise<void>;
}

export async function openBoxControl(parts: BoxControlParts): Promise<BoxControl> {
  const { configuration, network, store, publisher, broker, own, log, stateFolder } = parts;
  const place = { device: configuration.name, network: networkLabel(network), version: FIRMWARE_VERSION };
  const home = configuration.homeAssistant && new HomeAssistant(publisher, { ...place, client: configuration.homeAssistant.client });
  const control = new Control({
    ...{ device: configuration.name, rules: configuration, store, publisher, log, now: Date.now },
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    open: (box) => openHardware(box, parts),
    onFenced: (boxes) => broker.fence(boxes),
    onChange: (boxes) => home?.show(boxes.values()),
  });
  if (home) await home.listen(own, () => control.boxes.values());
  // The operator is heard once it is known which boxes there are.
  let desk: ControlDesk | undefined;
  return {
    control,
    republish: () => {
      control.republish();
      home?.forget();
      home?.show(control.boxes.values());
    },
    timePassed: () => {
      desk ??= new ControlDesk({ stateFolder, control, now: Date.now, log });
      desk.look();
    },
    close: () => {
      desk?.close();
      return control.close();
    },
  };
}

/** @returns undefined where the configuration names no way to the box */
function openHardware(box: string, { configuration, stateFolder, display }: BoxControlParts): Promise<BoxHardware> | undefined {
  const entry = configuration.control?.find((known) => known.box === box);
  switch (entry?.by) {
    case undefined:
      return undefined;
    case 'board':
      return openBoard(configuration, display);
    case 'ipmi':
      return openIpmiBox(entry, stateFolder);
    case 'redfish':
      return openRedfishBox(entry, stateFolder);
  }
}

/** Clients whom the broker gives rights to boxes. */
export function peopleOf({ boxPeople = [], homeAssistant }: DeviceConfiguration): BoxPeople {
  const who = (may: string): string[] => boxPeople.filter((person) => person.may === may).map(({ client }) => client);
  return { observers: who('observe'), operators: who('operate'), ...(homeAssistant ? { homeAssistant: homeAssistant.client } : {}) };
}
