/** `trust export`: a file by which anybody checks how it stands with a member, without asking a device. */
import { writeFile } from 'node:fs/promises';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { encodeTrustFile, judgeTrustFile } from '#protocol/trust-file.ts';
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { fetchProvenPage } from '../client/proven-members.ts';
import { bytesText, openTerminal } from '../terminal.ts';
import { askAboutTrust, fetchEvidence, fetchMember, trustOptions } from './session.ts';
import { checkpointWords } from './words.ts';

export const exportTrust = commandOf(
  {
    name: 'export',
    summary: 'Writes a file with which anybody can check how it stands with a member, without a network.',
    operands: ['NODE', '[FILE]'],
    options: trustOptions,
    notes: 'FILE is NODE.trust.cbor by default. `npm run trust -- verify FILE` checks it.',
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
      const terminal = openTerminal(process.stdout, process.env);
      terminal.line(
        `${file}: ${bytesText(encoded.length)}, ${record.member.name} ${verdict.explained.standing} as of ${checkpointWords(verdict.checkpoint)}`,
      );
      return 0;
    }),
);
