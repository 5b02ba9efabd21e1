/** `trust verify`: checks a file of `trust export`, offline, against the network file of whoever checks. */
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { nodeIdOf } from '#protocol/network.ts';
import { judgeTrustFile } from '#protocol/trust-file.ts';
import { commandOf } from '../arguments.ts';
import { defaultState, jsonOption, stateOption } from '../capsule/options.ts';
import { networkFile } from '../capsule/session.ts';
import { readBounded, readNetworkFile } from '../capsule/verification.ts';
import { printJson } from '../capsule/view.ts';
import { harmless, openTerminal } from '../terminal.ts';
import { memberForPrograms } from './for-programs.ts';
import { memberText } from './member-text.ts';
import { requireTrust } from './session.ts';

export const verify = commandOf(
  {
    name: 'verify',
    summary: 'Checks a file that `trust export` has written, offline: votes, chips, state, evidence.',
    operands: ['FILE'],
    options: {
      network: { value: 'FILE', help: 'network file to check by (default: network.cbor in the state folder)' },
      state: stateOption,
      json: jsonOption,
    },
    notes:
      'Take the network file from someone you trust, never from whoever gave you FILE. It says how things stood at its checkpoint.\nExit status: 0 when it holds, whatever it says of the member; 1 when it does not; 2 for a wrong line.',
  },
  async ({ operands: [file = ''], options }) => {
    const network = await readNetworkFile(options.network ?? networkFile(options.state ?? defaultState));
    requireTrust(network);
    const verdict = judgeTrustFile(await readBounded(file, LIMITS.trustFileBytesMax, 'trust file'), { network, crypto: nobleCrypto });
    const terminal = openTerminal(process.stdout, process.env);
    if (verdict.status === 'refused') {
      if (options.json) printJson({ holds: false, reason: verdict.reason, detail: verdict.detail });
      else terminal.line(terminal.paint('bad', `✗ ${file} does not hold (${verdict.reason}): ${harmless(verdict.detail)}`));
      return 1;
    }
    if (options.json) printJson({ holds: true, ...memberForPrograms(verdict) });
    else {
      const names = new Map(verdict.checkpoint.cards.map((card) => [hex(nodeIdOf(card.endorsementKey)), card.name]));
      const nameOf = (node: string): string => names.get(node) ?? node.slice(0, 16);
      terminal.line(memberText({ ...verdict, network, nameOf }, terminal));
      terminal.line(
        terminal.paint('good', `\n✓ ${file} holds: checked by the network file alone, down to the votes and the chips behind them`),
      );
    }
    return 0;
  },
);
