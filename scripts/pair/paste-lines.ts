/** Lines that a person can paste into a shell as they are: a client of Capstan with nothing but Mosquitto's own tools. */
import { join, resolve } from 'node:path';
import { clientSubtree, topicOf } from '#protocol/topics.ts';

export interface PasteLines {
  /** Shows all that the device writes to the client. */
  readonly watch: string;
  /** Asks for the client's capsules, in JSON. */
  readonly ask: string;
}

export interface PastePlace {
  readonly folder: string;
  readonly url: string;
  /** The short form of the network id. */
  readonly network: string;
  readonly device: string;
  readonly client: string;
}

export function pasteLines({ folder, url, network, device, client }: PastePlace): PasteLines {
  const { hostname, port } = new URL(url);
  const file = (name: string): string => quoted(join(resolve(folder), name));
  const common = `-V mqttv5 -h ${hostname.replace(/^\[|\]$/g, '')} -p ${port} --cafile ${file('ca.pem')} --cert ${file('certificate.pem')} --key ${file('key.pem')} -q 1`;
  const subtree = clientSubtree(network, device, client);
  const query = topicOf(network, { to: 'client', device, client, kind: 'query' });
  return {
    watch: `mosquitto_sub ${common} -v -t ${quoted(`${subtree}#`)}`,
    ask: `mosquitto_pub ${common} -t ${quoted(query)} -D publish content-type application/json -D publish response-topic ${quoted(`${subtree}answer`)} -m ${quoted('{"query":"list"}')}`,
  };
}

/** For a POSIX shell. */
function quoted(words: string): string {
  return /^[\w./:@%+=-]+$/.test(words) ? words : `'${words.replaceAll("'", `'\\''`)}'`;
}
