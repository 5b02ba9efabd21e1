/** Lines that a person can paste into a shell as they are: a client of Capstan with nothing but Mosquitto's own tools. Specification §7.3. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { decodeJson } from '#protocol/codec.ts';
import { clientSubtree } from '#protocol/topics.ts';
import { ClientConnectionFile, HOLDER_FILE_BYTES_MAX, HOLDER_FILES } from '../../hpc-agent/holder-files.ts';

export interface PasteLines {
  /** Shows answers and news of capsules as they come. */
  readonly watch: string;
  /** Sends a small capsule. */
  readonly submit: string;
  /** Asks for the client's capsules. */
  readonly list: string;
}

const CAPSULE = {
  capsule: 1,
  runtime: 'shell',
  entry: 'hello.sh',
  content: { 'hello.sh': 'echo "hello from $(uname -m)" | tee "$CAPSTAN_OUT/greeting.txt"' },
};

/** What pairing left in `folder` says where to connect. @throws Error that names the file, where it is damaged */
export function readConnectionFile(folder: string): ClientConnectionFile {
  const file = join(folder, HOLDER_FILES.connection);
  const decoded = decodeJson(ClientConnectionFile, readFileSync(file), HOLDER_FILE_BYTES_MAX);
  if (decoded.status === 'malformed')
    throw new Error(`${file} is damaged: ${decoded.detail}; remove the folder and the client, then pair again`);
  return decoded.value;
}

/** @param folder of a paired client */
export function pasteLines(folder: string): PasteLines {
  const { url, network, device, client } = readConnectionFile(folder);
  const { hostname, port } = new URL(url);
  const file = (name: string): string => shellQuoted(join(resolve(folder), name));
  const files = `--cafile ${file(HOLDER_FILES.authority)} --cert ${file(HOLDER_FILES.certificate)} --key ${file(HOLDER_FILES.key)}`;
  const common = `-V mqttv5 -q 1 -h ${hostname.replace(/^\[|\]$/g, '')} -p ${port} ${files}`;
  const subtree = clientSubtree(network.subarray(0, 8).toHex(), device, client);
  const send = (kind: string, message: object): string =>
    `mosquitto_pub ${common} -t ${shellQuoted(subtree + kind)} -D publish content-type application/json -m ${shellQuoted(JSON.stringify(message))}`;
  const topics = ['answer', 'capsules/+/state', 'capsules/+/log', 'capsules/+/result'].map((kind) => `-t ${shellQuoted(subtree + kind)}`);
  return {
    // -R: not what the broker kept from earlier, some of it in CBOR.
    watch: `mosquitto_sub ${common} -R ${topics.join(' ')}`,
    submit: send('submit', CAPSULE),
    list: send('query', { query: 'list' }),
  };
}

/** For a POSIX shell. */
export function shellQuoted(words: string): string {
  return /^[\w./:@%+=-]+$/.test(words) ? words : `'${words.replaceAll("'", `'\\''`)}'`;
}
