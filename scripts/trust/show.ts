/** `trust show`: one member, with what it showed, who judged it, and a check of the evidence here. */
import { hex } from '#protocol/digest.ts';
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { printJson } from '../capsule/view.ts';
import { openTerminal } from '../terminal.ts';
import { memberForPrograms } from './for-programs.ts';
import { memberText } from './member-text.ts';
import { layer1Rows } from './layer1-rows.ts';
import { askAboutTrust, fetchEvidence, fetchMember, requireExplained, trustOptions } from './session.ts';
import { checkpointWords } from './words.ts';

export const show = commandOf(
  {
    name: 'show',
    summary: 'Explains how it stands with a member: until when, who judged what, and what its evidence is worth by a check here.',
    operands: ['NODE'],
    options: {
      ...trustOptions,
      registry: { value: 'ADDRESS', help: 'contract NodeRegistry on layer 1, to show what the node has at stake' },
      verdicts: { value: 'ADDRESS', help: 'contract VerdictDisputes on layer 1, to show whether its verdict was refuted' },
    },
    notes:
      'NODE is the name of a member, or the first 4 or more digits of its node id.\nExit status: 0 when it is trusted, 3 when it is not, 1 when it can not be told, 2 for a wrong line.',
  },
  ({ operands: [named = ''], options }) =>
    askAboutTrust(options, async (session) => {
      const { member, all } = await fetchMember(session, named);
      const explained = requireExplained(member, await fetchEvidence(session.client, member), session.network);
      const { record, checkpoint } = member;
      if (options.json) printJson(memberForPrograms({ record, checkpoint, explained }));
      if (!explained) throw new CommandFailure(1, `${record.member.name} is an applicant: it is judged when it has become a member`);
      const names = new Map(all.map((one) => [hex(one.record.node), one.record.member.name]));
      const nameOf = (node: string): string => names.get(node) ?? node.slice(0, 16);
      const terminal = openTerminal(process.stdout, process.env);
      if (options.json) return explained.standing === 'trusted' ? 0 : 3;
      const layer1 = await layer1Rows(session, record, { registry: options.registry, verdicts: options.verdicts });
      const asOf = checkpointWords(checkpoint);
      terminal.line(memberText({ record, asOf, explained, network: session.network, nameOf, layer1 }, terminal));
      return explained.standing === 'trusted' ? 0 : 3;
    }),
);
