/**
 * How boxes come to this device: to its listeners themselves, or through another broker where one is configured. What `npm run pair -- list` shows of it
 * is noted. Specification §5.7.
 */
import type { DeviceConfiguration } from '../configuration.ts';
import type { Ports } from '../mqtt/broker-configuration.ts';
import type { Entry } from '../mqtt/connection-tally.ts';
import type { Log } from '../ports.ts';
import { BoxWays } from './box-ways.ts';
import { otherAddress } from './other-broker.ts';
import { Relay } from './relay.ts';

export interface ArrivalsOptions {
  readonly stateFolder: string;
  readonly configuration: Pick<DeviceConfiguration, 'name' | 'address' | 'relay'>;
  readonly ports: Ports;
  readonly log: Log;
}

export class Arrivals {
  readonly #relay: Relay | undefined;
  readonly #ways: BoxWays;
  readonly #log: Log;

  /** @throws OtherBrokerUnknown */
  constructor({ stateFolder, configuration, ports, log }: ArrivalsOptions) {
    const { name, address, relay } = configuration;
    this.#log = log;
    this.#ways = new BoxWays(stateFolder);
    this.#relay =
      relay &&
      new Relay({ other: otherAddress(relay, stateFolder), name: relay.name ?? name, host: ownHost(address), ports: { ...ports }, log });
  }

  /** A certificate was let in by the device's broker. */
  entered({ listener, name, source }: Entry): void {
    if (listener !== 'boxes') return;
    const way = this.#relay?.entered(source) === true ? 'relay' : 'direct';
    try {
      this.#ways.note(name, way, Date.now());
    } catch (error) {
      // A note for people: a full disk ends nothing because of it.
      this.#log('boxWayNotNoted', { box: name, way, error: error instanceof Error ? error.message : 'unknown' });
    }
  }

  async stop(): Promise<void> {
    await this.#relay?.stop();
  }
}

/** Where the own broker is reached from here. */
function ownHost(address = '0.0.0.0'): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}
