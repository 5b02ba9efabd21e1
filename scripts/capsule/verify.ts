/** `capsule verify`: checks a receipt, offline, against the network file of whoever checks. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { ReceiptMessage } from '#protocol/receipt.ts';
import { encodeJson } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal } from '../terminal.ts';
import { capsuleFolder, RECEIPT_FILE } from './capsule-folder.ts';
import { wholeId } from './chosen-capsule.ts';
import { CommandFailure } from './failure.ts';
import { defaultState, jsonOption, stateOption } from './options.ts';
import { finalityAdvice, finalityText } from './finality-text.ts';
import { networkFile } from './session.ts';
import { showVerification, verificationSentence } from './verification-lines.ts';
import { basisFromContract, contractOptions, contractWords, readContractChoice, UNLISTED } from './verify-from-contract.ts';
import { holds, isFinal, readNetworkFile, verifyReceipt, type Basis, type FinalityCheck, type Verification } from './verification.ts';
import { printJson } from './view.ts';

export const verify = commandOf(
  {
    name: 'verify',
    summary: 'Checks a receipt and the outputs beside it, offline: every link from the network file to the result.',
    operands: ['RECEIPT|ID'],
    options: {
      network: { value: 'FILE', help: 'network file to check against (default: network.cbor in the state folder)' },
      ...contractOptions,
      final: { help: 'demand the proof that a checkpoint of the chain holds the receipt' },
      outputs: { value: 'DIR', help: 'folder with the outputs (default: outputs, beside the receipt)' },
      state: stateOption,
      json: jsonOption,
    },
    notes:
      'With --layer1 and --contract no network file is needed: the contract says which anchor is final, and all else is checked from there.\nWhat the contract does not hold lies beside the receipt as anchor.cbor; else a paired device is asked for it, and not believed.\nTake the network file from someone you trust, never from whoever gave you the receipt.\nBeside the receipt lies what its device has said of its finality; a proof there is checked too.\nExit status: 0 the receipt holds and no output differs from it (with --final: and it is final); 1 it does not; 2 the command is wrong.',
  },
  async ({ operands: [given = ''], options }) => {
    const state = options.state ?? defaultState;
    const receipt = await findReceipt(state, given);
    const networkPath = options.network ?? networkFile(state);
    const choice = readContractChoice(options);
    const basis: Basis = choice ? await basisFromContract(receipt, choice, options) : { network: await readNetworkFile(networkPath) };
    const verification = await verifyReceipt(receipt, basis, options.outputs);
    if (options.json) printJson(forPrograms(verification));
    else {
      const words = basis.anchor ? contractWords(basis.anchor) : networkPath;
      const isUnlisted = basis.network.references.some(({ label }) => label === UNLISTED);
      show(verification, { receipt, basis: words, isUnlisted }, options.final);
    }
    return holds(verification) && (!options.final || isFinal(verification)) ? 0 : 1;
  },
);

/** A file, a folder that holds receipt.cbor, or the id of a capsule from here. */
async function findReceipt(state: string, given: string): Promise<string> {
  const found = await stat(given).catch(() => undefined);
  if (found) return found.isDirectory() ? join(given, RECEIPT_FILE) : given;
  if (/[./\\]/.test(given)) throw new CommandFailure(2, `there is no file ${given}; verify takes a receipt.cbor, or the id of a capsule`);
  const path = join(capsuleFolder(state, await wholeId(state, given)), RECEIPT_FILE);
  if (await stat(path).catch(() => undefined)) return path;
  throw new CommandFailure(2, `capsule ${given} has no receipt here yet; \`npm run capsule -- result ${given}\` fetches it`);
}

function show(
  verification: Verification,
  { receipt, basis, isUnlisted }: { readonly receipt: string; readonly basis: string; readonly isUnlisted: boolean },
  isFinalityDemanded: boolean,
): void {
  const terminal = openTerminal(process.stdout, process.env);
  terminal.line(terminal.paint('quiet', `${receipt}, checked against ${basis}\n`));
  showVerification(terminal, verification, basis);
  if (isUnlisted)
    terminal.line(
      terminal.paint('warning', 'What its device has measured was compared with no list of releases: --network FILE names one.'),
    );
  const { verdict, finality, finalityFile } = verification;
  if (finality && isFinal(verification)) terminal.line(terminal.paint('good', finalityText(finality)));
  const isMissing = verdict.status === 'verified' && !isFinal(verification);
  const place = isMissing && { file: finalityFile, gateway: verdict.receipt.gateway.device, capsule: verdict.receipt.capsule };
  const advice = place ? finalityAdvice(finality, place) : '';
  if (isMissing && !isFinalityDemanded) terminal.line(terminal.paint('warning', `not shown to be final: ${advice}`));
  terminal.line(terminal.paint(holds(verification) ? 'good' : 'bad', verificationSentence(verification)));
  if (isMissing && isFinalityDemanded)
    terminal.line(terminal.paint('bad', `It is not shown to be final, which --final demands: ${advice}.`));
}

function forPrograms(verification: Verification): object {
  const { verdict, finality, files } = verification;
  const receipt =
    verdict.status === 'verified'
      ? { receipt: JSON.parse(encodeJson(ReceiptMessage.body, verdict.receipt)) as unknown }
      : { reason: verdict.reason, detail: verdict.detail };
  return {
    holds: holds(verification),
    status: verdict.status,
    steps: verdict.steps,
    finality: finality && finalityForPrograms(finality),
    files,
    ...receipt,
  };
}

function finalityForPrograms(finality: FinalityCheck): object {
  switch (finality.status) {
    case 'accepted': {
      const { transactionId, height, block, timeMs, checkpoint, voters, votes } = finality;
      const [number, above] = [checkpoint.number, { height: checkpoint.height, block: hex(checkpoint.block) }];
      const signed = { voters, votes: votes.map(({ name, node }) => ({ name, node: hex(node) })) };
      return {
        status: 'final',
        transaction: hex(transactionId),
        height,
        block: hex(block),
        timeMs,
        checkpoint: { number, ...above },
        ...signed,
      };
    }
    case 'anchored': {
      const { transactionId, block, ...place } = finality;
      return { ...place, transaction: hex(transactionId), block: hex(block) };
    }
    case 'refused':
      return finality;
    case 'not-final':
      return { status: 'not-final', ...(finality.said ? { height: finality.said.height, block: hex(finality.said.block) } : {}) };
  }
}
