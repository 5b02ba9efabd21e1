/** Lines that work when pasted: a capsule with nothing but Mosquitto's clients. Specification §7.3. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJson } from '#protocol/codec.ts';
import { networkLabel, type Network } from '#protocol/network.ts';
import { struct, text } from '#protocol/schema.ts';
import { clientSubtree } from '#protocol/topics.ts';
import { HOLDER_FILES } from '../../hpc-agent/pairing.ts';

const FILE_BYTES_MAX = 16_384;
const Word = text({ max: 255 });
const Connection = struct({ url: Word, device: Word, network: Word, client: Word });

export interface PasteableLines {
  readonly subscribe: string;
  readonly publish: string;
}

/** @param folder of a paired client */
export function pasteableLines(folder: string, network: Network): PasteableLines {
  const connection = decodeJson(Connection, readFileSync(join(folder, HOLDER_FILES.connection)), FILE_BYTES_MAX);
  if (connection.status === 'malformed') throw new Error(`${folder} is no folder of a paired client: ${connection.detail}`);
  const { url, device, client } = connection.value;
  const { hostname, port } = new URL(url);
  const topic = clientSubtree(networkLabel(network), device, client);
  const common = [`-h ${hostname} -p ${port} -V mqttv5`, `--cafile ${quoted(join(folder, HOLDER_FILES.authority))}`, `--cert ${quoted(join(folder, HOLDER_FILES.certificate))}`, `--key ${quoted(join(folder, HOLDER_FILES.key))}`];
  const capsule = { capsule: 1, runtime: 'shell', entry: 'hello.sh', content: { 'hello.sh': 'echo "hello from $(uname -m)" | tee "$CAPSTAN_OUT/greeting.txt"' } };
  return {
    subscribe: command(['mosquitto_sub -R', ...common, `-t ${quoted(`${topic}answer`)} -t ${quoted(`${topic}capsules/+/state`)} -t ${quoted(`${topic}capsules/+/log`)} -t ${quoted(`${topic}capsules/+/result`)}`]),
    publish: command(['mosquitto_pub', ...common, `-t ${quoted(`${topic}submit`)} -D publish content-type application/json`, `-m ${quoted(JSON.stringify(capsule))}`]),
  };
}

function command([program = '', ...parts]: readonly string[]): string {
  return `  ${[program, ...parts].join(' \\\n    ')}`;
}

/** For a POSIX shell. */
function quoted(words: string): string {
  return /^[\w@%+=:,./-]+$/.test(words) ? words : `'${words.replaceAll("'", `'\\''`)}'`;
}
