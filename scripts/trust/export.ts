/** `trust export`: a file by which anybody checks how it stands with a member, without asking a device. */
import { writeFile } from 'node:fs/promises';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { hex } from '#protocol/digest.ts';
import { judgeAnchorFile } from '#protocol/layer1/anchor-file.ts';
import { encodeTrustFile, judgeTrustFile } from '#protocol/trust-file.ts';
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { fetchAnchorFile, lastAnchor, withAnchors } from '../client/anchors.ts';
import { ClientFailure } from '../client/failure.ts';
import { fetchProvenPage } from '../client/proven-members.ts';
import { bytesText, openTerminal } from '../terminal.ts';
import { anchorFileOf, anchorWords } from './at-anchor.ts';
import { askAboutTrust, fetchEvidence, fetchMember, trustOptions, type TrustSession } from './session.ts';
import { checkpointWords } from './words.ts';

export const exportTrust = commandOf(
  {
    name: 'export',
    summary: 'Writes a file with which anybody can check how it stands with a member, without a network.',
    operands: ['NODE', '[FILE]'],
    options: trustOptions,
    notes:
      'FILE is NODE.trust.cbor by default. `npm run trust -- verify FILE` checks it.\nWhere the network has anchors on layer 1, FILE.anchor beside it is for a check without a network file.',
  },
  ({ operands: [named = '', given], options }) =>
    askAboutTrust(options, async (session) => {
      const { client, network } = session;
      const { record } = (await fetchMember(session, named)).member;
      const context = { network, crypto: nobleCrypto };
      const { proof, checkpoint } = await fetchProvenPage(client, { from: record.node, count: 1 }, context);
      const now = checkpoint.members[0] ?? record;
      const evidence = await fetchEvidence(client, { record: now, checkpoint });
      const encoded = encodeTrustFile({ version: 1, node: record.node, proof, evidence });
      const verdict = judgeTrustFile(encoded, context);
      if (verdict.status === 'refused')
        throw new CommandFailure(1, `what the device shows does not hold (${verdict.reason}): ${verdict.detail}`);
      const file = given ?? `${record.member.name}.trust.cbor`;
      await writeFile(file, encoded);
      const anchored = await writeAnchor(session, file);
      const terminal = openTerminal(process.stdout, process.env);
      terminal.line(
        `${file}: ${bytesText(encoded.length)}, ${record.member.name} ${verdict.explained.standing} as of ${checkpointWords(verdict.checkpoint)}`,
      );
      if (anchored) terminal.line(anchored);
      return 0;
    }),
);

/** What a check by layer 1 takes, beside the file: the last final anchor's seats. @returns a sentence; undefined where the network has no layer 1 */
async function writeAnchor({ client, network }: TrustSession, file: string): Promise<string | undefined> {
  const [chain] = network.layer1 ?? [];
  if (!chain) return undefined;
  try {
    return await withAnchors({ endpoints: chain.endpoints, contract: chain.anchors, chainId: chain.chainId }, async (reader) => {
      const anchor = await lastAnchor(reader);
      const encoded = await fetchAnchorFile(client, network.genesis, { reader, anchor, above: undefined });
      const verdict = judgeAnchorFile(encoded, anchor.anchor);
      if (verdict.status === 'refused') return `no file for a check by layer 1: what the device shows does not fit (${verdict.reason})`;
      await writeFile(anchorFileOf(file), encoded);
      return `${anchorFileOf(file)}: ${bytesText(encoded.length)}, ${anchorWords(verdict)}, for \`verify --layer1\` or \`--anchor ${hex(anchor.anchor)}\``;
    });
  } catch (error) {
    if (error instanceof ClientFailure) return `no file for a check by layer 1: ${error.message}`;
    throw error;
  }
}
