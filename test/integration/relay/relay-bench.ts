/** A device of the pairing bench with a relay, a broker of somebody else between it and boxes, and boxes that are paired through it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { networkLabel } from '#protocol/network.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { topicFilter, topicOf } from '#protocol/topics.ts';
import { readConfiguration, writeConfiguration } from '../../../device/configuration.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import type { Entry } from '../../../device/mqtt/connection-tally.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { Arrivals } from '../../../device/relay/arrivals.ts';
import { connect as connectAgent, type OtherAddress } from '../../../hpc-agent/mqtt.ts';
import { pairHolder, type PairedHolder } from '../../../hpc-agent/pairing.ts';
import { openRelayStream } from '../../../hpc-agent/relay-stream.ts';
import { openFor, startPairingBench, type PairingBench } from '../pairing/pairing-bench.ts';
import { startSiteBroker, type SiteBroker } from './site-broker.ts';

export interface RelayBench extends PairingBench {
  readonly site: SiteBroker;
  /** The device's own connection, with all rights at its broker. */
  readonly own: Connection;
  /** Opens a window and pairs a box with it, through the other broker. */
  pairThrough(name: string, open?: (other: OtherAddress) => Connection): Promise<PairedHolder>;
  /** The connection of a paired box, as its agent has it. */
  join(name: string, open?: (other: OtherAddress) => Connection): Connection;
}

export type Say = (event: string, fields?: object) => void;

/** @param settings of the other broker's listener */
export async function startRelayBench(
  settings?: readonly string[],
  access: { user?: string; passwordFile?: string } = {},
): Promise<RelayBench> {
  const late: { arrivals?: Arrivals } = {};
  const bench = await startPairingBench({ relayed: true, onEntry: (entry: Entry) => late.arrivals?.entered(entry) });
  const site = await startSiteBroker(join(bench.state, 'site'), settings);
  const configuration = { name: 'alpha', address: '127.0.0.1', relay: { url: site.url, fingerprint: site.fingerprint, ...access } };
  writeConfiguration(bench.device, { ...readConfiguration(bench.device), ...configuration });
  const log: Say = (event, fields = {}) => void bench.log.push({ event, ...fields });
  const ports = await claimPorts(join(bench.device, 'broker', 'ports.json'));
  const arrivals = new Arrivals({ stateFolder: bench.device, configuration, ports, log });
  late.arrivals = arrivals;
  const own = connect({ socket: bench.broker.socket });
  await own.connected(5_000);
  const open: Connection[] = [own];
  const folderOf = (name: string): string => join(bench.state, 'paired', name);
  return {
    ...bench,
    ...{ site, own },
    pairThrough: async (name, other) => {
      const window = await openFor(bench.device, 'box', name);
      const through = { url: site.url, name: 'alpha', fingerprint: site.fingerprint };
      return pairHolder({ address: window.at, code: window.code, folder: folderOf(name), through }, (address, options) =>
        connect({ ...address, over: () => openRelayStream({ other: site, device: 'alpha' }, 'pairing', other) }, options),
      );
    },
    join: (name, other) => {
      const file = (which: string): string => readFileSync(join(folderOf(name), which), 'utf8');
      const address = { url: 'mqtts://nowhere:1', server: 'alpha', authority: file('ca.pem'), certificate: file('certificate.pem') };
      const over = () => openRelayStream({ other: site, device: 'alpha' }, 'boxes', other);
      const connection = connectAgent({ ...address, key: file('key.pem'), over });
      open.push(connection);
      return connection;
    },
    stop: async () => {
      await Promise.all(open.map((connection) => connection.close()));
      await arrivals.stop();
      await site.broker.stop();
      await bench.stop();
    },
  };
}

/** Where a box says something to its device, and the device to it. */
export function topicsOf({ network }: RelayBench, box: string): { up: string; down: string } {
  const [label, device] = [networkLabel(network), 'alpha'];
  return {
    up: topicOf(label, { to: 'box', device, box, direction: 'up', kind: 'progress' }),
    down: topicOf(label, { to: 'box', device, box, direction: 'down', kind: 'chunk' }),
  };
}

/** What boxes say to the device. */
export async function hearBoxes({ own, network }: RelayBench): Promise<Incoming[]> {
  const heard: Incoming[] = [];
  await own.subscribe(topicFilter(networkLabel(network), 'alpha', 'hpc', '+', 'up', '+'), (message) => void heard.push(message));
  return heard;
}

/** Waits until it holds. */
export async function until(condition: () => boolean, what: string, waitMs = 20_000): Promise<void> {
  const giveUpAt = performance.now() + waitMs;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, `waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
