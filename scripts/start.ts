/** `npm start`: the main job, for real, on this machine: a grid comes up, runs the sample capsule and stays up. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Layer1Chain } from '#protocol/network.ts';
import { helpAsked, readLine, commandHelp, UsageError, type CommandDeclaration, type Option } from './arguments.ts';
import { RECEIPT_FILE } from './capsule/capsule-folder.ts';
import { finalityText } from './capsule/finality-text.ts';
import { submit } from './capsule/submit.ts';
import { holds, isFinal, verifyReceipt } from './capsule/verification.ts';
import { verificationSentence } from './capsule/verification-lines.ts';
import { basisFromContract, contractWords } from './capsule/verify-from-contract.ts';
import { head } from './chain/head.ts';
import { StartCutOff, startGrid, type Grid } from './grid/grid.ts';
import { GRID_CHAIN, type GridLayer1 } from './grid/layer1.ts';
import { GRID_CLIENT } from './grid/layout.ts';
import { anchorsStatus, type AnchorsStatus } from './layer1/chain-status.ts';
import { pasteLines, shellQuoted } from './pair/paste-lines.ts';
import { durationText, endWhenUnread, openTerminal } from './terminal.ts';
import { nodes } from './trust/nodes.ts';

const DEFAULT_STATE = '.capstan';
const SAME_SIGNAL_MS = 1_000;
const PARENT_WATCH_MS = 1_000;
const LOOK_MS = 250;
/** The first anchor is posted some 15 s after the first block. */
const ANCHOR_WAIT_MS = 60_000;
const sample = fileURLToPath(new URL('sample/capsule.yaml', import.meta.url));

const declaration = {
  name: 'npm start --',
  summary:
    'Starts four devices (software TPMs) as one network, a box each and a client on this machine, runs the sample capsule, and stays up.',
  operands: [],
  options: {
    once: { help: 'end after the receipt was verified, by an anchor of layer 1 too: exit status 0, or 1 with the reason' },
    'no-layer1': { help: 'do without layer 1: no chain of the EVM (anvil) on this machine, no anchors' },
    state: { value: 'DIR', help: `where everything is kept (default ${DEFAULT_STATE})` },
  },
} as const satisfies CommandDeclaration<Record<string, Option>>;

const terminal = openTerminal(process.stdout, process.env);

endWhenUnread();
process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  terminal.line(terminal.paint('bad', `start: ${error instanceof Error ? error.message : String(error)}`));
  return error instanceof UsageError ? 2 : 1;
});
// Whatever is still open (a log being flushed) must not hold the shell.
process.exit();

async function main(line: readonly string[]): Promise<number> {
  if (helpAsked(line)) {
    terminal.line(commandHelp(declaration, declaration.name));
    return 0;
  }
  const { options } = readLine(declaration, line);
  const state = options.state ?? DEFAULT_STATE;
  const stopAsked = untilStopAsked();
  terminal.line(
    `${terminal.paint('strong', 'Capstan bench grid')} in ${state} ${terminal.paint('warning', '(software TPMs, simulated boards: they show how it works and prove nothing about hardware)')}`,
  );
  const chains = options['no-layer1'] ? [] : [GRID_CHAIN];
  const grid = await startGrid({ stateFolder: state, chains, onStep: showStep, onEnd: showEnd, onNotice: showNotice, stopAsked }).catch(
    giveUp,
  );
  if (!grid) return 130;
  try {
    if (grid.boxesOn.length > 0) {
      const sampled = await Promise.race([runSample(state), stopAsked.then(() => 'stopped' as const)]);
      if (sampled === 'stopped') return 130;
      if (sampled === 0) await showChain(state);
      if (options.once || sampled !== 0) return sampled === 0 ? await endOnce(grid, state, stopAsked) : sampled;
      if (grid.layer1) showAnchors(await anchorsOf(grid.layer1));
    } else {
      showNotice(
        'No box is on: the sample capsule is not submitted. Once one has come back: npm run capsule -- submit scripts/sample/capsule.yaml',
      );
      if (options.once) return 1;
    }
    showWhatNext(grid, state);
    await stopAsked;
    return 0;
  } finally {
    terminal.line('Stopping what was started…');
    await grid.stop();
  }
}

/** Ctrl-C while it starts: what was started is stopped by now. */
function giveUp(error: unknown): undefined {
  if (!(error instanceof StartCutOff)) throw error;
  terminal.line('Stopped before everything was up. The same command goes on from there.');
}

function showStep(part: string, detail: string, ms: number): void {
  terminal.line(`  ${terminal.paint('good', '✔')} ${part.padEnd(18)} ${detail.padEnd(46)} ${durationText(ms)}`);
}

function showEnd(name: string, how: string): void {
  terminal.line(terminal.paint('warning', `  ! ${name} ended (${how}); it is started again`));
}

function showNotice(words: string): void {
  terminal.line(terminal.paint('warning', `  ! ${words}`));
}

/** The same that `npm run capsule -- submit` does. */
async function runSample(state: string): Promise<number> {
  terminal.line(
    `\nSubmitting the sample capsule, a path tracer (${sample}), to device ${GRID_CLIENT.device} as client "${GRID_CLIENT.name}":`,
  );
  const startedAt = performance.now();
  const status = await submit.perform(
    [sample, '--state', state, '--device', GRID_CLIENT.device, '--client', GRID_CLIENT.name],
    'npm run capsule -- submit',
  );
  const picture = await newestPicture(join(state, 'capsules'));
  if (status === 0 && picture !== undefined)
    terminal.line(
      `\n${terminal.paint('strong', 'The picture:')} ${picture}  (${durationText(performance.now() - startedAt)} from submission to verified receipt)`,
    );
  return status;
}

/** The same that `npm run chain -- head` does. */
async function showChain(state: string): Promise<void> {
  terminal.line(`\n${terminal.paint('strong', 'The chain')}, as device ${GRID_CLIENT.device} sees it:`);
  await head.perform(['--state', state, '--device', GRID_CLIENT.device, '--client', GRID_CLIENT.name], 'npm run chain -- head');
}

/** What happens once ends when layer 1 has an anchor as well. @returns the exit status */
async function endOnce({ layer1, network }: Grid, state: string, stopAsked: Promise<void>): Promise<number> {
  if (network.genesis.trust) await showTrust(state);
  if (!layer1) return 0;
  const untilMs = performance.now() + ANCHOR_WAIT_MS;
  for (;;) {
    const anchors = await anchorsOf(layer1);
    const areFinal = anchors.every(isBeyondFounders);
    if (areFinal || performance.now() > untilMs) {
      showAnchors(anchors);
      const held = areFinal && (await Promise.all(anchors.map(({ chain }) => showByContract(state, chain))));
      return held && held.every(Boolean) ? 0 : 1;
    }
    if (await Promise.race([stopAsked.then(() => true), sleep(LOOK_MS, false)])) return 130;
  }
}

/** The same that `npm run trust -- nodes` does. Whether all are trusted at this moment is no matter of the sample. */
async function showTrust(state: string): Promise<void> {
  terminal.line(`\n${terminal.paint('strong', 'Whom the network trusts')}, by the evidence of their chips and the votes of the others:`);
  await nodes.perform(['--state', state, '--device', GRID_CLIENT.device, '--client', GRID_CLIENT.name], 'npm run trust -- nodes');
}

/** What `npm run capsule -- verify --layer1 … --contract …` does, in a line. @returns whether the receipt of the sample holds, and is final */
async function showByContract(state: string, { endpoints, anchors }: Layer1Chain): Promise<boolean> {
  const picture = await newestPicture(join(state, 'capsules'));
  if (picture === undefined) return false;
  const receipt = join(dirname(dirname(picture)), RECEIPT_FILE);
  const given = { state, network: undefined, device: GRID_CLIENT.device, client: GRID_CLIENT.name };
  const basis = await basisFromContract(receipt, { endpoints, contract: anchors }, given);
  const verification = await verifyReceipt(receipt, basis, undefined);
  const how = verification.finality ? `; ${finalityText(verification.finality)}` : '';
  terminal.line(`By ${contractWords(basis.anchor)} alone, without a network file: ${verificationSentence(verification)}${how}`);
  return holds(verification) && isFinal(verification);
}

type Shown = { readonly chain: Layer1Chain; readonly anchors: AnchorsStatus };

function anchorsOf({ network: { layer1 = [] } }: GridLayer1): Promise<Shown[]> {
  return Promise.all(layer1.map(async (chain) => ({ chain, anchors: await anchorsStatus(chain) })));
}

/** Epoch 0 is of the founders, and stands in the contract from the beginning. */
function isBeyondFounders({ anchors }: Shown): boolean {
  return anchors.status === 'read' && anchors.final > 0;
}

/** The same that `npm run layer1 -- status` says. */
function showAnchors(shown: readonly Shown[]): void {
  for (const { chain, anchors } of shown) {
    const words = anchors.status === 'read' ? `epoch ${anchors.posted} posted, epoch ${anchors.final} final` : `not read: ${anchors.why}`;
    terminal.line(`\n${terminal.paint('strong', 'Layer 1')}, chain ${chain.chainId}, contract 0x${chain.anchors.toHex()}: ${words}`);
  }
}

async function newestPicture(folder: string): Promise<string | undefined> {
  const pictures = (await readdir(folder)).map((id) => join(folder, id, 'outputs', 'picture.png')).filter((file) => existsSync(file));
  const dated = await Promise.all(pictures.map(async (file) => ({ file, atMs: (await stat(file)).mtimeMs })));
  return dated.sort((left, right) => right.atMs - left.atMs)[0]?.file;
}

function showWhatNext(grid: Grid, state: string): void {
  const elsewhere = state === DEFAULT_STATE ? '' : ` --state ${shellQuoted(state)}`;
  const { watch, submit: send } = pasteLines(grid.layout.client(GRID_CLIENT.device, GRID_CLIENT.name));
  terminal.line(`
The grid stays up until Ctrl-C. Another capsule, from another terminal:

  npm run capsule -- submit scripts/sample/capsule.yaml${elsewhere}

the chain, block by block, and who its members are, with the processes that you may kill to see what happens:

  npm run chain -- watch${elsewhere}
  npm run chain -- peers${elsewhere}

how far layer 1 is, and who pays for it:

  npm run layer1 -- status${elsewhere}

the boxes, what may happen to one, and the operator's word that takes it back:

  npm run box -- list${elsewhere}
  npm run rack -- open-door alpha${elsewhere}       (or cut alpha: its device switches it on again once it is restored)
  npm run box -- release alpha${elsewhere}

or with nothing but MQTT: listen in one terminal,

${watch}

and send in another:

${send}
`);
}

/**
 * Resolves at the first Ctrl-C or termination, and when npm, whose child this is, has been killed. A second signal ends at
 * once, and the kernel ends what we started; one within a second is the same Ctrl-C, passed on by npm.
 */
function untilStopAsked(): Promise<void> {
  return new Promise((resolve) => {
    let askedAtMs: number | undefined;
    const ask = (): void => {
      if (askedAtMs !== undefined && performance.now() - askedAtMs > SAME_SIGNAL_MS) process.exit(130);
      askedAtMs ??= performance.now();
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      ask();
    }, PARENT_WATCH_MS);
    watch.unref();
  });
}
