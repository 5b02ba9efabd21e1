/**
 * Debian's ipmi_sim as a BMC on a free loopback port: its power is a file that a script switches, its sensors are files. All in a
 * temporary folder. Specification §16.5.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface IpmiSimulator {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: 'operator';
  /** Of mode 0600, with the right password. */
  readonly passwordFile: string;
  readonly folder: string;
  isOn(): Promise<boolean>;
  /** What the chassis script was asked, a line each. */
  asked(): Promise<string[]>;
  measure(sensor: 'watts' | 'celsius', value: number): Promise<void>;
  /** Stops answering, and goes on. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** ipmi_sim takes 15 bytes at most, without spaces. */
export const PASSWORD = 'secret-of-15-by';
const START_MS_MAX = 20_000;

export async function startIpmiSimulator(): Promise<IpmiSimulator> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-ipmi-sim-'));
  const port = await freeUdpPort();
  await writeFiles(folder, port);
  // Commands come from its standard input, too: a pipe that is left open keeps it listening.
  const child = spawn('ipmi_sim', ['-n', '-c', join(folder, 'lan.conf'), '-f', join(folder, 'commands'), '-s', join(folder, 'state')], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close').catch(() => undefined);
  let problem: string | undefined;
  child.once('error', (error) => (problem = `${error.message}; on Debian: sudo apt install openipmi`));
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-500)));
  child.once('close', () => (problem ??= `it ended: ${said.trim()}`));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const deadline = performance.now() + START_MS_MAX;
  while (problem === undefined && !(await answers(port))) {
    if (performance.now() > deadline) problem = `it does not listen after ${START_MS_MAX} ms; a command that it does not know stops it`;
  }
  if (problem !== undefined) {
    await stop();
    throw new Error(`ipmi_sim does not start: ${problem}`);
  }
  return {
    host: '127.0.0.1',
    port,
    user: 'operator',
    passwordFile: join(folder, 'password'),
    folder,
    isOn: async () => (await readFile(join(folder, 'power'), 'utf8')).trim() === '1',
    asked: async () => (existsSync(join(folder, 'asked')) ? (await readFile(join(folder, 'asked'), 'utf8')).trimEnd().split('\n') : []),
    measure: (sensor, value) => writeFile(join(folder, sensor), `${value}\n`),
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    stop,
  };
}

async function writeFiles(folder: string, port: number): Promise<void> {
  await mkdir(join(folder, 'state', 'ipmi_sim', 'box'), { recursive: true });
  const files = {
    'lan.conf': lanConfiguration(folder, port),
    commands: commands(folder),
    chassis: chassisScript(folder),
    power: '0\n',
    watts: '90\n',
    celsius: '45\n',
    password: `${PASSWORD}\n`,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o600 });
  await chmod(join(folder, 'chassis'), 0o700);
}

function lanConfiguration(folder: string, port: number): string {
  return `name "box"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "${join(folder, 'chassis')}"
  user 1 true "" "nobody" user 10 none md2 md5 straight
  user 2 true "operator" "${PASSWORD}" operator 10 none md2 md5 straight
`;
}

/** It is asked "get power", and told "set power 1", "set shutdown 1", "set reset 1". */
function chassisScript(folder: string): string {
  return `#!/bin/sh
echo "$*" >> '${join(folder, 'asked')}'
verb=$1; shift
while [ $# -gt 0 ]; do
  case $verb.$1 in
  get.power) echo "power:$(cat '${join(folder, 'power')}')"; shift ;;
  set.power) echo "$2" > '${join(folder, 'power')}'; shift; shift ;;
  set.shutdown) echo 0 > '${join(folder, 'power')}'; shift; shift ;;
  *) shift; shift ;;
  esac
done
`;
}

/** A sensor whose file is not quoted, or a number without 0x, stops the simulator without a word. */
function commands(folder: string): string {
  const events = Array.from({ length: 4 }, () => '000111111000000').join(' ');
  const sensors = [
    // Half a unit a count: 510 W at most.
    { number: 1, type: 0x0b, unit: 6, multiplier: 2, file: 'watts', poll: ' div=2', upperCritical: 230, name: 'Total, Power' },
    { number: 2, type: 0x01, unit: 1, multiplier: 1, file: 'celsius', poll: '', upperCritical: 95, name: 'CPU Temp' },
    { number: 3, type: 0x01, unit: 1, multiplier: 1, file: 'celsius', poll: '', upperCritical: 95, name: 'CPU Temp' },
  ];
  const lines = sensors.flatMap(({ number, type, unit, multiplier, file, poll, upperCritical, name }) => [
    `sensor_add 0x20 0 ${number} ${type} 0x01 poll 100 file "${join(folder, file)}"${poll}`,
    `sensor_set_threshold 0x20 0 ${number} settable 111000 0xfa ${upperCritical} 0xdc 0 0 0`,
    `sensor_set_event_support 0x20 0 ${number} enable scanning per-state ${events}`,
    `main_sdr_add 0x20 ${fullRecord({ number, type, unit, multiplier, upperCritical, name })}`,
  ]);
  return `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
${lines.join('\n')}
mc_enable 0x20
`;
}

interface FullRecord {
  readonly number: number;
  readonly type: number;
  readonly unit: number;
  readonly multiplier: number;
  readonly upperCritical: number;
  readonly name: string;
}

/** A full sensor record (IPMI 2.0, table 43-1), as bytes for the simulator. */
function fullRecord({ number, type, unit, multiplier, upperCritical, name }: FullRecord): string {
  const body = [
    ...[0x20, 0, number, 7, 1, 0x7f, 0x68, type, 1],
    ...[0x80, 0x7a, 0x80, 0x7a, 0x38, 0x38], // events; upper thresholds are readable and settable
    ...[0, unit, 0, 0, multiplier, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 0xff, 0, 0xfa, upperCritical, 0xdc, 0, 0, 0, 2, 2, 0, 0, 0],
    ...[0xc0 | name.length, ...Buffer.from(name)],
  ];
  return [0, 0, 0x51, 1, body.length, ...body].map((byte) => `0x${byte.toString(16)}`).join(' ');
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Asks for its authentication capabilities, which needs no session (IPMI 2.0, 22.13). */
async function answers(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    const request = '0600ff07000000000000000000092018c88100388e04b5';
    const heard = once(socket, 'message', { signal: AbortSignal.timeout(200) });
    socket.send(Uint8Array.fromHex(request), port, '127.0.0.1');
    await heard;
    return true;
  } catch {
    await sleep(20);
    return false;
  } finally {
    socket.close();
  }
}
