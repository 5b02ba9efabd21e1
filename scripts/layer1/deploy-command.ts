/** `layer1 deploy`: puts a network's contracts on a chain, and names them in its network file. Without --send it says what that would be. */
import process from 'node:process';
import type { DeploymentTerms } from '#contracts/deployment.ts';
import { errorWords } from '#contracts/error-words.ts';
import { abi as anchorsAbi } from '#contracts/generated/anchors.ts';
import { sameBytes } from '#protocol/codec.ts';
import { encodeNetwork, networkLabel, type Network } from '#protocol/network.ts';
import { lookAt } from '../../device/layer1/chain-view.ts';
import type { Endpoints } from '../../device/layer1/endpoints.ts';
import { lookMsFor } from '../../device/layer1/limits.ts';
import type { PayingKey } from '../../device/layer1/paying-key.ts';
import { probeChain } from '../../device/layer1/probing.ts';
import { Sender } from '../../device/layer1/sender-host.ts';
import { writeWholeFile } from '../../device/mqtt/whole-file.ts';
import { commandOf, UsageError, wholeNumber, type OptionValues } from '../arguments.ts';
import { readNetworkFile } from '../grid/network.ts';
import { durationText, table } from '../terminal.ts';
import { addressIn, coinText, creationGasMost, GWEI, gweiText } from './amounts.ts';
import { chainOf, endpointsOf } from './chain-endpoints.ts';
import { addressOfAnchors, deployContracts, findContracts, hasCode, type FoundContract } from './deploy.ts';
import { readKeyFile } from './key-file.ts';
import { LASTING, termsFor } from './terms.ts';

const FEE_CAP_GWEI = 50;

const options = {
  network: { value: 'FILE', help: 'the network file; it gets an entry for the chain' },
  key: { value: 'FILE', help: 'the key that pays: 64 hexadecimal digits, in a file that nobody else may read' },
  owner: { value: 'ADDRESS', help: 'of releases and guardian: a timelock (TimelockController)' },
  guardian: { value: 'ADDRESS', help: 'who may stop posts for a while' },
  window: { value: 'SECONDS', help: `how long a post can be challenged (default ${LASTING.anchors.windowS})` },
  bond: { value: 'GWEI', help: `what stands behind a post (default ${LASTING.anchors.bond / GWEI})` },
  'fee-cap': { value: 'GWEI', help: `the most for a unit of gas (default ${FEE_CAP_GWEI})` },
  send: { help: 'do it; without this, nothing is sent' },
} as const;

export const deploy = commandOf(
  {
    name: 'deploy',
    summary: 'Puts a network’s contracts on a chain; without --send, says what that costs and what speaks against it.',
    operands: ['ENDPOINT', '[ENDPOINT]', '[ENDPOINT]', '[ENDPOINT]'],
    options,
    notes:
      'What is there is found, and what was begun goes on. The terms never change: another window or owner is another deployment. Devices post from ' +
      'the first epoch on: a network file names its first chain before the devices run. Exit status 1 when something speaks against it.',
  },
  async ({ operands, options: given }) => {
    const [file, key] = [required(given, 'network'), readKeyFile(required(given, 'key'))];
    const network = readNetworkFile(file) ?? missing(file);
    const chainId = await chainOf(operands[0] ?? '');
    const endpoints = endpointsOf(chainId, operands);
    try {
      const terms = termsOf(network, given);
      const feeCap = BigInt(wholeNumber('--fee-cap', given['fee-cap'] ?? String(FEE_CAP_GWEI))) * GWEI;
      const plan = await planFor({ endpoints, network, terms, key, feeCap });
      process.stdout.write(`${table(plan.rows)}\n`);
      for (const objection of plan.objections) process.stderr.write(`! ${objection}\n`);
      if (plan.objections.length > 0) return 1;
      if (given.send)
        await send({
          endpoints,
          terms,
          key,
          feeCap,
          costMost: plan.costMost,
          file: `${required(given, 'key')}.sent-${chainId}.sqlite`,
          lookMs: lookMsFor(operands),
        });
      else if (plan.costMost > 0n) return sayUnsent();
      nameIn(file, network, { chainId, anchors: addressOfAnchors(terms), endpoints: [...operands] });
      return 0;
    } finally {
      endpoints.close();
      key.secret.fill(0);
    }
  },
);

type Given = OptionValues<typeof options>;

function required(given: Given, name: 'network' | 'key' | 'owner' | 'guardian'): string {
  return given[name] ?? raise(new UsageError(`--${name} is missing: ${options[name].help}`));
}

function missing(file: string): never {
  throw new UsageError(`--network: there is no file ${file}`);
}

function raise(error: Error): never {
  throw error;
}

function termsOf(network: Network, given: Given): DeploymentTerms {
  const keepers = { owner: addressIn('--owner', required(given, 'owner')), guardian: addressIn('--guardian', required(given, 'guardian')) };
  const windowS = given.window === undefined ? LASTING.anchors.windowS : BigInt(wholeNumber('--window', given.window));
  const bond = given.bond === undefined ? LASTING.anchors.bond : BigInt(wholeNumber('--bond', given.bond)) * GWEI;
  return termsFor(network, keepers, { ...LASTING, anchors: { ...LASTING.anchors, windowS, bond } });
}

interface Planned {
  readonly rows: (readonly string[])[];
  /** Each in a sentence; none where it can be done. */
  readonly objections: readonly string[];
  /** In wei; 0 where everything is there. */
  readonly costMost: bigint;
}

interface Wanted {
  readonly endpoints: Endpoints;
  readonly network: Network;
  readonly terms: DeploymentTerms;
  readonly key: PayingKey;
  /** In wei. */
  readonly feeCap: bigint;
}

async function planFor({ endpoints, network, terms, key, feeCap }: Wanted): Promise<Planned> {
  const { chainId } = endpoints;
  const abilities = await probeChain(endpoints);
  const look = await lookAt(endpoints, { address: key.address, finality: abilities.finality, transactions: [] }, () => '');
  if (look.status === 'not-seen') throw new Error(`chain ${chainId} can't be read: ${look.words}`);
  const { balance, market } = look.view;
  const price = (market.baseFee ?? 0n) + market.offered;
  const contracts = await findContracts(endpoints, terms);
  const gas = BigInt(contracts.reduce((sum, contract) => sum + (contract.isThere ? 0 : creationGasMost(contract)), 0));
  const costMost = gas * feeCap;
  const named = network.layer1?.find((entry) => entry.chainId === chainId);
  const anchors = addressOfAnchors(terms);
  const objections = [
    ...abilities.lacking.map((lack) => `the contracts can't be on chain ${chainId}: ${lack}`),
    ...(network.genesis.anchorHeights === undefined
      ? ['this network was founded without anchors (genesis field anchorHeights): nothing would be posted']
      : []),
    ...(named && !sameBytes(named.anchors, anchors)
      ? [`the network file names other contracts on chain ${chainId}, at 0x${named.anchors.toHex()}; take that entry out first`]
      : []),
    ...(price > feeCap ? [`gas costs ${gweiText(price)} now, above the cap of ${gweiText(feeCap)}: wait, or give --fee-cap`] : []),
    ...(costMost > balance ? [`0x${key.address.toHex()} has ${coinText(balance)}; up to ${coinText(costMost)} is needed`] : []),
  ];
  const isContract = await hasCode(endpoints, terms.owner);
  return {
    rows: [...rowsOf({ endpoints, network, terms, key, feeCap }, contracts, isContract), ...costRows(gas, price, feeCap, balance)],
    objections,
    costMost,
  };
}

function rowsOf({ endpoints, network, terms, key }: Wanted, contracts: readonly FoundContract[], isContract: boolean): string[][] {
  const { windowS, recoveryS, showS, bond } = terms.anchors;
  return [
    ['network', `${network.genesis.name} ${networkLabel(network)}, ${terms.founders.seats} founders`],
    ['chain', String(endpoints.chainId)],
    [
      'owner',
      `0x${terms.owner.toHex()}`,
      isContract ? 'a contract' : 'no contract: whoever has its key adds releases at once. Give a timelock',
    ],
    ['guardian', `0x${terms.guardian.toHex()}`, `may stop posts for ${seconds(terms.stopS)}`],
    ['window', seconds(windowS), 'a post can be challenged so long'],
    ['bond', coinText(bond), 'with each post, given back'],
    ['recovery', seconds(recoveryS), `without a final anchor; then seats show life for ${seconds(showS)}`],
    ['payer', `0x${key.address.toHex()}`],
    ...contracts.map((contract) => [
      contract.name,
      `0x${contract.address.toHex()}`,
      contract.isThere ? 'is there' : `${creationGasMost(contract)} gas at most`,
    ]),
  ];
}

function costRows(gas: bigint, price: bigint, feeCap: bigint, balance: bigint): string[][] {
  if (gas === 0n) return [['cost', 'nothing: everything is there']];
  return [
    ['gas', `${gweiText(price)} now`, `cap ${gweiText(feeCap)}`],
    ['cost', `${coinText(gas * price)} at most now`, `${coinText(gas * feeCap)} at the cap; a rollup adds what it charges for data`],
    ['payer has', coinText(balance)],
  ];
}

function seconds(value: bigint): string {
  return durationText(Number(value) * 1_000);
}

function sayUnsent(): number {
  process.stdout.write('Nothing was sent. The same line with --send does it.\n');
  return 0;
}

type Sending = Pick<Wanted, 'endpoints' | 'terms' | 'key' | 'feeCap'> & {
  readonly costMost: bigint;
  readonly file: string;
  readonly lookMs: number;
};

/** @param costMost what may be paid in a day */
async function send({ endpoints, terms, key, feeCap, costMost, file, lookMs }: Sending): Promise<void> {
  const { finality } = await probeChain(endpoints);
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const sender = new Sender({
    ...{ endpoints, finality, file, key, now: Date.now, log: () => undefined },
    terms: { feeCap, dayBudget: costMost },
    wordsOfError: (data) => errorWords([anchorsAbi], data),
  });
  try {
    await deployContracts({ endpoints, sender, terms, say, lookMs });
  } finally {
    await sender.close();
  }
}

function nameIn(file: string, network: Network, entry: NonNullable<Network['layer1']>[number]): void {
  const others = (network.layer1 ?? []).filter(({ chainId }) => chainId !== entry.chainId);
  writeWholeFile(file, encodeNetwork({ ...network, layer1: [...others, entry] }), 0o644);
  process.stdout.write(`${file} names chain ${entry.chainId} now; devices that get it post there.\n`);
}
