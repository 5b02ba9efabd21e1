/** `trust verify`: checks a file of `trust export` by the network file of whoever checks, or by an anchor that layer 1 holds. */
import { decodeStrict } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { hex } from '#protocol/digest.ts';
import { AnchorFile, judgeAnchorFile, type TrustedAnchor } from '#protocol/layer1/anchor-file.ts';
import { LIMITS } from '#protocol/limits.ts';
import { nodeIdOf, type Member } from '#protocol/network.ts';
import { judgeTrustFile, TrustFile } from '#protocol/trust-file.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { notWhatWasAsked } from '../capsule/foreign-file.ts';
import { defaultState, jsonOption, stateOption } from '../capsule/options.ts';
import { networkFile } from '../capsule/session.ts';
import { readBounded, readNetworkFile } from '../capsule/verification.ts';
import { readContractChoice } from '../capsule/verify-from-contract.ts';
import { printJson } from '../capsule/view.ts';
import { withAnchors, type ContractChoice } from '../client/anchors.ts';
import { harmless, openTerminal } from '../terminal.ts';
import { anchorFileOf, anchorWords, trustAtAnchor } from './at-anchor.ts';
import { memberForPrograms, trustForPrograms } from './for-programs.ts';
import { memberText } from './member-text.ts';
import { requireTrust } from './session.ts';
import { checkpointWords } from './words.ts';

export const verify = commandOf(
  {
    name: 'verify',
    summary: 'Checks a file that `trust export` has written: offline by a network file or an anchor, or by a contract on layer 1.',
    operands: ['FILE'],
    options: {
      network: { value: 'FILE', help: 'network file to check by (default: network.cbor in the state folder)' },
      layer1: { value: 'URL[,URL]', help: 'endpoints of a chain: check FILE.anchor by the contract there' },
      contract: { value: 'ADDRESS', help: 'address of the network’s contract Anchors on that chain' },
      chain: { value: 'ID', help: 'id of that chain (default: the one that all endpoints serve)' },
      anchor: { value: 'DIGEST', help: 'an anchor that you trust, 64 hexadecimal digits: check FILE.anchor by it' },
      state: stateOption,
      json: jsonOption,
    },
    notes:
      'Take the network file, address or anchor from someone you trust, never from whoever gave you FILE.\nBy a network file it says how things stood at its checkpoint; by an anchor, at that of the anchor, and needs FILE.anchor beside it.\nExit status: 0 when it holds, whatever it says of the member; 1 when it does not; 2 for a wrong line.',
  },
  async ({ operands: [file = ''], options }) => {
    const encoded = await readBounded(file, LIMITS.trustFileBytesMax, 'trust file');
    const read = decodeStrict(TrustFile, encoded, LIMITS.trustFileBytesMax);
    const choice = readContractChoice(options);
    if (choice && options.anchor !== undefined)
      throw new UsageError('--anchor and --contract each say which anchor to trust; give one of them');
    if (read.status === 'malformed')
      return refuse(file, { reason: 'malformed', detail: notWhatWasAsked(file, 'trust file', encoded) }, options.json);
    if (choice || options.anchor !== undefined) {
      const anchor = await readAnchor(anchorFileOf(file), choice ?? readDigest(options.anchor ?? ''));
      if ('reason' in anchor) return refuse(anchorFileOf(file), anchor, options.json);
      // The file's own proof is of what the anchor's seats have certified since, or older than the anchor and of no use.
      const since = judgeTrustFile(encoded, { network: anchor.network, crypto: nobleCrypto, start: anchor.start });
      if (since.status === 'refused' && since.reason !== 'checkpoints-not-in-order') return refuse(file, since, options.json);
      const references = options.network === undefined ? undefined : (await readNetworkFile(options.network)).references;
      const { record, explained, network } = trustAtAnchor(anchor, read.value.node, read.value.evidence, references);
      const by = choice ? 'the contract' : 'the anchor';
      if (options.json)
        printJson({
          holds: true,
          name: record.member.name,
          node: hex(record.node),
          epoch: anchor.header.epoch,
          ...trustForPrograms(explained),
        });
      else
        tell(file, memberText({ record, asOf: anchorWords(anchor), explained, network, nameOf: namesOf(network.members) }, terminal()), by);
      return 0;
    }
    const network = await readNetworkFile(options.network ?? networkFile(options.state ?? defaultState));
    requireTrust(network);
    const verdict = judgeTrustFile(encoded, { network, crypto: nobleCrypto });
    if (verdict.status === 'refused') return refuse(file, verdict, options.json);
    const { record, explained, checkpoint } = verdict;
    if (options.json) printJson({ holds: true, ...memberForPrograms(verdict) });
    else
      tell(
        file,
        memberText({ record, asOf: checkpointWords(checkpoint), explained, network, nameOf: namesOf(checkpoint.cards) }, terminal()),
        'the network file',
      );
    return 0;
  },
);

const terminal = (): ReturnType<typeof openTerminal> => openTerminal(process.stdout, process.env);

interface Refusal {
  readonly reason: string;
  readonly detail: string;
}

function refuse(file: string, { reason, detail }: Refusal, json: boolean): 1 {
  if (json) printJson({ holds: false, reason, detail });
  else terminal().line(terminal().paint('bad', `✗ ${file} does not hold (${reason}): ${harmless(detail)}`));
  return 1;
}

function tell(file: string, text: string, by: string): void {
  terminal().line(text);
  terminal().line(terminal().paint('good', `\n✓ ${file} holds: checked by ${by} alone`));
}

/** @param trusted an anchor's digest, or where to read the digest of the anchor that the file is of */
async function readAnchor(file: string, trusted: Uint8Array | ContractChoice): Promise<TrustedAnchor | Refusal> {
  const encoded = await readBounded(file, LIMITS.anchorFileBytesMax, 'anchor file');
  const read = decodeStrict(AnchorFile, encoded, LIMITS.anchorFileBytesMax);
  if (read.status === 'malformed') return { reason: 'malformed', detail: notWhatWasAsked(file, 'anchor file', encoded) };
  if (trusted instanceof Uint8Array) return judgeAnchorFile(encoded, trusted);
  return withAnchors(trusted, async (reader) => {
    const { epoch } = read.value.header;
    if (epoch > reader.lastFinal)
      return { reason: 'other-anchor', detail: `it is of anchor ${epoch}; the last final one is ${reader.lastFinal}` };
    return judgeAnchorFile(encoded, (await reader.anchorOf(epoch)).anchor);
  });
}

/** @throws UsageError */
function readDigest(words: string): Uint8Array {
  if (/^(0x)?[0-9a-fA-F]{64}$/.test(words)) return Uint8Array.fromHex(words.replace(/^0x/, ''));
  throw new UsageError(`--anchor "${words}" is no digest: give 64 hexadecimal digits`);
}

function namesOf(members: readonly Member[]): (node: string) => string {
  const names = new Map(members.map((card) => [hex(nodeIdOf(card.endorsementKey)), card.name]));
  return (node) => names.get(node) ?? node.slice(0, 16);
}
