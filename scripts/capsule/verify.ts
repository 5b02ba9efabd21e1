/** `capsule verify`: checks a receipt, offline, against the network file of whoever checks. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { ReceiptMessage } from '#protocol/receipt.ts';
import { encodeJson } from '#protocol/codec.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal } from '../terminal.ts';
import { capsuleFolder } from './capsule-folder.ts';
import { wholeId } from './chosen-capsule.ts';
import { CommandFailure } from './failure.ts';
import { defaultState, jsonOption, stateOption } from './options.ts';
import { networkFile } from './session.ts';
import { showVerification, verificationSentence } from './verification-lines.ts';
import { holds, readNetworkFile, verifyReceipt, type Verification } from './verification.ts';
import { printJson } from './view.ts';

export const verify = commandOf(
  {
    name: 'verify',
    summary: 'Checks a receipt and the outputs beside it, offline: every link from the network file to the result.',
    operands: ['RECEIPT|ID'],
    options: {
      network: { value: 'FILE', help: 'network file to check against (default: network.cbor in the state folder)' },
      outputs: { value: 'DIR', help: 'folder with the outputs (default: outputs, beside the receipt)' },
      state: stateOption,
      json: jsonOption,
    },
    notes:
      'Take the network file from someone you trust, never from whoever gave you the receipt.\nExit status: 0 the receipt holds and no output differs from it; 1 it does not; 2 the command is wrong.',
  },
  async ({ operands: [given = ''], options }) => {
    const state = options.state ?? defaultState;
    const receipt = await findReceipt(state, given);
    const network = await readNetworkFile(options.network ?? networkFile(state));
    const verification = await verifyReceipt(receipt, network, options.outputs);
    if (options.json) printJson(forPrograms(verification));
    else show(verification);
    return holds(verification) ? 0 : 1;
  },
);

/** A file, a folder that holds receipt.cbor, or the id of a capsule from here. */
async function findReceipt(state: string, given: string): Promise<string> {
  const found = await stat(given).catch(() => undefined);
  if (found) return found.isDirectory() ? join(given, 'receipt.cbor') : given;
  if (/[./\\]/.test(given)) throw new CommandFailure(2, `there is no file ${given}; verify takes a receipt.cbor, or the id of a capsule`);
  const path = join(capsuleFolder(state, await wholeId(state, given)), 'receipt.cbor');
  if (await stat(path).catch(() => undefined)) return path;
  throw new CommandFailure(2, `capsule ${given} has no receipt here yet; \`npm run capsule -- result ${given}\` fetches it`);
}

function show(verification: Verification): void {
  const terminal = openTerminal(process.stdout, process.env);
  showVerification(terminal, verification);
  terminal.line(terminal.paint(holds(verification) ? 'good' : 'bad', verificationSentence(verification)));
}

function forPrograms(verification: Verification): object {
  const { verdict, files } = verification;
  const receipt =
    verdict.status === 'verified'
      ? { receipt: JSON.parse(encodeJson(ReceiptMessage.body, verdict.receipt)) as unknown }
      : { reason: verdict.reason, detail: verdict.detail };
  return { holds: holds(verification), status: verdict.status, steps: verdict.steps, files, ...receipt };
}
