/** `trust nodes`: all members, and how it stands with each. */
import type { CoreState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import type { ExplainedTrust } from '#protocol/explained-trust.ts';
import type { Network } from '#protocol/network.ts';
import { commandOf } from '../arguments.ts';
import { printJson } from '../capsule/view.ts';
import { fetchProvenMembers, type ProvenMember } from '../client/proven-members.ts';
import { openTerminal, table, type Terminal } from '../terminal.ts';
import { memberForPrograms } from './for-programs.ts';
import { askAboutTrust, requireExplained, trustOptions } from './session.ts';
import { checkpointWords, seatWords, STANDING_STYLES, untilWords } from './words.ts';

export const nodes = commandOf(
  {
    name: 'nodes',
    summary: 'Shows all members: whether they are trusted and until when, their credit, and what was judged last.',
    operands: [],
    options: trustOptions,
    notes:
      'Proven: a device is asked, but what it says is checked by the network file, down to the votes and the chips behind them.\nExit status: 0 when all members are trusted, 3 when one is not, 1 when it can not be told, 2 for a wrong line.',
  },
  ({ options }) =>
    askAboutTrust(options, async ({ client, network }) => {
      const members = await fetchProvenMembers(client, network);
      const explained = members.map((member) => ({ ...member, explained: requireExplained(member, [], network) }));
      const terminal = openTerminal(process.stdout, process.env);
      if (options.json) printJson({ members: explained.map(memberForPrograms), notShown: notShown(members).map(hex) });
      else terminal.line(nodesText(explained, network, terminal));
      const active = explained.filter(({ record }) => record.standing === 'member');
      return active.every(({ explained: trust }) => trust?.standing === 'trusted') ? 0 : notAllTrusted;
    }),
);

const notAllTrusted = 3; // as of `chain head` where nothing becomes final

type ShownNode = ProvenMember & { readonly explained: ExplainedTrust | undefined };

function nodesText(members: readonly ShownNode[], network: Network, { paint }: Pick<Terminal, 'paint'>): string {
  const head = ['member', 'node', 'seat', 'trust', '', 'credit', 'judged last'].map((word) => paint('quiet', word));
  const rows = members
    .toSorted((left, right) => (left.record.member.name < right.record.member.name ? -1 : 1))
    .map(({ record, explained }) => [
      record.member.name,
      hex(record.node).slice(0, 8),
      seatWords(record, explained),
      ...(explained ? trustCells(explained, network, paint) : ['', '', '', '']),
    ]);
  const last = members.at(-1)?.checkpoint;
  const missing = notShown(members);
  const lines = [
    table([head, ...rows]),
    '',
    ...(last
      ? [`  ${paint('quiet', `As of ${checkpointWords(last)}: checked by the network file, nothing here is a device's word.`)}`]
      : []),
    ...(missing.length > 0
      ? [
          paint(
            'bad',
            `  NOT SHOWN by this device: ${missing.map((node) => hex(node).slice(0, 16)).join(', ')}; ask another one with --device`,
          ),
        ]
      : []),
  ];
  return lines.join('\n');
}

function trustCells(explained: ExplainedTrust, { genesis }: Network, paint: Terminal['paint']): string[] {
  const { standing, trust } = explained;
  return [paint(STANDING_STYLES[standing], standing), untilWords(explained, genesis.consensus), String(trust.credit), lastWords(explained)];
}

function lastWords({ slots }: ExplainedTrust): string {
  const judged = slots.findLast(({ slot }) => slot.verdict);
  if (!judged?.slot.verdict) return slots.length > 0 ? `slot ${slots.at(-1)?.slot.slot ?? 0}: not yet` : '';
  const { slot, verdict, closed } = judged.slot;
  const end = closed === undefined || closed === verdict.word ? '' : `, then ${closed}`;
  return `slot ${slot}: ${verdict.word}${end}`;
}

/** Seats that the core names and no page has shown. */
function notShown(members: readonly ProvenMember[]): Uint8Array[] {
  const core: CoreState | undefined = members.at(-1)?.checkpoint.core;
  const shown = new Set(members.map(({ record }) => hex(record.node)));
  return (core?.seats ?? []).filter((seat) => !shown.has(hex(seat)));
}
