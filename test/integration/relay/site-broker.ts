/** A broker of somebody else: Mosquitto with a certificate of its own, for whoever knows a password, or for everybody. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { openAuthority } from '../../../device/mqtt/authority.ts';
import { startBroker, type Broker } from '../../../device/mqtt/broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import type { OtherAddress } from '../../../device/mqtt/connection.ts';

export interface SiteBroker extends OtherAddress {
  readonly broker: Broker;
  readonly fingerprint: string;
  readonly authorityFile: string;
  /** Begins anew with nothing in its memory. */
  restart(): Promise<void>;
  /** What it has written to its log. */
  readonly lines: readonly string[];
}

/** @param settings lines of its listener, in place of one that lets everybody in */
export async function startSiteBroker(folder: string, settings: readonly string[] = ['allow_anonymous true']): Promise<SiteBroker> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = openAuthority({ folder: join(folder, 'authority'), device: 'site', hosts: [] });
  const { clients: port } = await claimPorts(join(folder, 'ports.json'));
  const socket = join(folder, 'own.sock');
  const configuration = [
    'per_listener_settings true',
    `user ${userInfo().username}`,
    'log_dest stderr',
    ...['error', 'warning', 'notice', 'information'].map((type) => `log_type ${type}`),
    `listener ${port} 127.0.0.1`,
    `certfile ${authority.server.certificateFile}`,
    `keyfile ${authority.server.keyFile}`,
    'tls_version tlsv1.3',
    ...settings,
    `listener 0 ${socket}`,
    'allow_anonymous true',
  ];
  const files = new Map([['mosquitto.conf', `${configuration.join('\n')}\n`]]);
  const lines: string[] = [];
  const broker = await startBroker({
    ...{ folder: join(folder, 'broker'), files, socket, connectionsMax: 1_000 },
    onEvent: (event) => {
      if (event.event === 'brokerSpoke') lines.push(event.line);
    },
  });
  const authorityFile = authority.rootFile('device');
  const fingerprint = new X509Certificate(readFileSync(authority.server.certificateFile)).fingerprint256.replaceAll(':', '').toLowerCase();
  return {
    ...{ url: `mqtts://127.0.0.1:${port}`, trust: { authority: readFileSync(authorityFile, 'utf8') } },
    ...{ broker, fingerprint, authorityFile, lines },
    restart: () => broker.restart(files),
  };
}
