/**
 * The peer for durable order: three etcd on this machine, each with a disk log of its own, written to one value after another.
 * Owner of the program `etcd`, which is Debian's `etcd-server` and is asked for by nothing else.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface EtcdCluster {
  /** Milliseconds until 256 bytes are stored by a majority. */
  putMs(): Promise<number>;
  stop(): Promise<void>;
}

const startMaxMs = 20_000;
const names = ['one', 'two', 'three'];

/** @throws Error in a sentence where there is no etcd, or none that comes up */
export async function startEtcd(folder: string): Promise<EtcdCluster> {
  const ports = await freePorts(names.length * 2);
  const urlOf = (index: number): string => `http://127.0.0.1:${ports[index] ?? 0}`;
  const peers = names.map((name, index) => `${name}=${urlOf(index + names.length)}`).join();
  const members = names.map((name, index) =>
    start(name, join(folder, name), { client: urlOf(index), peer: urlOf(index + names.length), peers }),
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const stop = async (): Promise<void> => {
    agent.destroy();
    await Promise.all(members.map(end));
  };
  const put = (): Promise<void> => post(agent, `${urlOf(0)}/v3/kv/put`, { key: base64(16), value: base64(256) });
  try {
    await Promise.all(members.map((member) => once(member, 'spawn')));
    await untilReady(put);
  } catch (error) {
    await stop();
    throw new Error(`etcd does not come up: ${error instanceof Error ? error.message : String(error)} (Debian has it as etcd-server)`, {
      cause: error,
    });
  }
  return {
    putMs: async () => {
      const startedAt = performance.now();
      await put();
      return performance.now() - startedAt;
    },
    stop,
  };
}

function start(name: string, folder: string, { client, peer, peers }: { client: string; peer: string; peers: string }): ChildProcess {
  const clients = ['--listen-client-urls', client, '--advertise-client-urls', client];
  const others = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', peers];
  return spawn('etcd', ['--name', name, '--data-dir', folder, ...clients, ...others, '--initial-cluster-state', 'new'], {
    stdio: 'ignore',
    env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch },
  });
}

async function untilReady(put: () => Promise<void>): Promise<void> {
  for (const giveUpAt = performance.now() + startMaxMs; ;) {
    try {
      return await put();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await sleep(100);
    }
  }
}

async function end(member: ChildProcess): Promise<void> {
  if (member.pid === undefined || member.exitCode !== null || member.signalCode !== null) return;
  const ended = once(member, 'exit');
  member.kill('SIGTERM');
  await ended;
}

/** By its gateway for JSON, over a connection that stays. */
function post(agent: Agent, url: string, body: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, method: 'POST', timeout: startMaxMs }, (answer) => {
      answer
        .resume()
        .on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`it answers ${String(answer.statusCode)}`))));
    });
    asked.on('error', reject).on('timeout', () => asked.destroy(new Error('it does not answer')));
    asked.setNoDelay(true);
    asked.end(JSON.stringify(body));
  });
}

function base64(bytes: number): string {
  return randomBytes(bytes).toString('base64');
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
