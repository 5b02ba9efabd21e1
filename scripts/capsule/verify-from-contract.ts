/**
 * What a receipt is checked by where there is no network file: an anchor of the contract, and what others show of it. Nothing but the contract is
 * believed. Specification §20.10.
 */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FinalityProof } from '#protocol/chain/finality-proof.ts';
import { decodeHeader } from '#protocol/chain/block.ts';
import { decodeStrict, readPlain, sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { EndpointUrl } from '#protocol/endpoint-url.ts';
import { DeviceEvidence } from '#protocol/evidence.ts';
import { AnchorFile, judgeAnchorFile, type AnchorVerdict, type TrustedAnchor } from '#protocol/layer1/anchor-file.ts';
import { LIMITS } from '#protocol/limits.ts';
import { networkId, type Network, type Reference } from '#protocol/network.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { peekSigned } from '#protocol/signed.ts';
import type { AnchorsReader } from '../../device/layer1/anchors-reader.ts';
import { UsageError, wholeNumber } from '../arguments.ts';
import { anchorFor, fetchAnchorFile, withAnchors, type ContractChoice, type KnownAnchor } from '../client/anchors.ts';
import { ClientFailure } from '../client/failure.ts';
import { ANCHOR_FILE, FINALITY_FILE } from './capsule-folder.ts';
import { CommandFailure } from './failure.ts';
import { defaultState } from './options.ts';
import { chooseProfile } from './profile.ts';
import { withSession } from './session.ts';
import { readBounded, readFinality, readNetworkFile, type Basis } from './verification.ts';

/** What was measured, where no list of releases is at hand. */
export const UNLISTED = 'unlisted';

export const contractOptions = {
  layer1: { value: 'URL[,URL]', help: 'endpoints of a chain: check by the contract there, without a network file' },
  contract: { value: 'ADDRESS', help: 'address of the network’s contract Anchors on that chain' },
  chain: { value: 'ID', help: 'id of that chain (default: the one that all endpoints serve)' },
  device: { value: 'NAME', help: 'device to ask for what the contract does not hold (default: the first one)' },
  client: { value: 'NAME', help: 'client to ask as (default: the only one)' },
} as const;

interface ContractOptions {
  readonly layer1: string | undefined;
  readonly contract: string | undefined;
  readonly chain: string | undefined;
}

/** What is asked besides the contract. */
interface Given {
  readonly network: string | undefined;
  readonly state: string | undefined;
  readonly device: string | undefined;
  readonly client: string | undefined;
}

/** @throws UsageError */
export function readContractChoice({ layer1, contract, chain }: ContractOptions): ContractChoice | undefined {
  if (layer1 === undefined && contract === undefined && chain === undefined) return undefined;
  if (layer1 === undefined || contract === undefined)
    throw new UsageError('--layer1 and --contract belong together: where to ask, and what');
  const endpoints = layer1.split(',');
  for (const url of endpoints) {
    const read = readPlain(EndpointUrl, url);
    if (read.status === 'malformed') throw new UsageError(read.detail.replace(/^message/, 'the endpoint'));
  }
  if (!/^0x[0-9a-fA-F]{40}$/.test(contract)) throw new UsageError(`"${contract}" is no address: give 0x and 40 hexadecimal digits`);
  const chainId = chain === undefined ? {} : { chainId: wholeNumber('--chain', chain) };
  return { endpoints, contract: Uint8Array.fromHex(contract.slice(2)), ...chainId };
}

export function contractWords({ place, header }: TrustedAnchor): string {
  return `anchor ${header.epoch} of the contract 0x${place.anchors.toHex()} on chain ${place.chainId}`;
}

/** @throws CommandFailure, ClientFailure with the reason where nothing can be checked from the contract */
export async function basisFromContract(receiptFile: string, choice: ContractChoice, given: Given): Promise<Required<Basis>> {
  const height = await heightOf(receiptFile);
  const file = join(dirname(receiptFile), ANCHOR_FILE);
  const anchor = await withAnchors(choice, async (reader) => {
    const kept = await judgeKept(file, reader, height);
    if (kept?.status === 'accepted') return kept;
    const wanted = await anchorFor(reader, height);
    const fetched = await fetchFrom(given, { reader, anchor: wanted, above: height }).catch((error: unknown) => {
      throw kept ? refusalOf(file, kept) : adviceOn(error, file);
    });
    const verdict = judgeAnchorFile(fetched, wanted.anchor);
    if (verdict.status === 'refused') throw refusalOf('what the device shows', verdict);
    await writeFile(file, fetched);
    return verdict;
  });
  const references = given.network === undefined ? await measuredIn(receiptFile) : await referencesOf(given.network, anchor);
  return { network: { ...anchor.network, references }, anchor };
}

/** Of the receipt's block. */
async function heightOf(receiptFile: string): Promise<number> {
  const path = join(dirname(receiptFile), FINALITY_FILE);
  const said = await readFinality(path);
  const proof = said?.finality === 'final' ? decodeStrict(FinalityProof, said.proof, LIMITS.finalityProofBytesMax) : undefined;
  const [lowest] = proof?.status === 'decoded' ? proof.value.blocks : [];
  const header = lowest && decodeHeader(lowest.header);
  if (header?.status === 'decoded') return header.value.height;
  throw new CommandFailure(1, `${path} shows no block with the receipt; \`npm run capsule -- result\` saves it once the receipt is final`);
}

/** A file whose anchor is final; one that begins below the receipt must begin at the last one, for old seats say nothing about now. */
async function judgeKept(file: string, reader: AnchorsReader, height: number): Promise<AnchorVerdict | undefined> {
  const encoded = await readBounded(file, LIMITS.anchorFileBytesMax, 'anchor file').catch(() => undefined);
  const read = encoded && decodeStrict(AnchorFile, encoded, LIMITS.anchorFileBytesMax);
  if (!encoded || !read) return undefined;
  if (read.status === 'malformed') return { status: 'refused', reason: 'malformed', detail: read.detail };
  const { header, place } = read.value;
  if (place.chainId !== reader.place.chainId || !sameBytes(place.anchors, reader.place.anchors))
    return { status: 'refused', reason: 'other-anchor', detail: `it is of the contract 0x${hex(place.anchors)} on chain ${place.chainId}` };
  if (header.epoch > reader.lastFinal || (header.height < height && header.epoch < reader.lastFinal))
    return {
      status: 'refused',
      reason: 'other-anchor',
      detail: `it begins at anchor ${header.epoch}; the last final one is ${reader.lastFinal}`,
    };
  return judgeAnchorFile(encoded, (await reader.anchorOf(header.epoch)).anchor);
}

async function fetchFrom(
  { state = defaultState, device, client: named }: Given,
  wanted: { readonly reader: AnchorsReader; readonly anchor: KnownAnchor; readonly above: number },
): Promise<Uint8Array> {
  const profile = await chooseProfile(state, { device, client: named });
  return withSession(state, profile, ({ client, network }) => {
    if (!network) throw new CommandFailure(1, `there is no network file in ${state} to take the genesis from`);
    return fetchAnchorFile(client, network.genesis, wanted);
  });
}

/** Nobody has compared them with a list: said as such by their label. */
async function measuredIn(receiptFile: string): Promise<Reference[]> {
  const receipt = peekSigned(ReceiptMessage, await readBounded(receiptFile, LIMITS.receiptBytesMax, 'receipt'));
  const evidence =
    receipt.status === 'decoded' ? decodeStrict(DeviceEvidence, receipt.value.deviceEvidence, LIMITS.evidenceBytesMax) : undefined;
  if (evidence?.status !== 'decoded') return [];
  return evidence.value.eventLog.map(({ kind, digest }) => ({ kind, digest, label: UNLISTED }));
}

async function referencesOf(file: string, { place }: TrustedAnchor): Promise<Network['references']> {
  const network = await readNetworkFile(file);
  if (sameBytes(networkId(network), place.network)) return network.references;
  throw new CommandFailure(
    2,
    `${file} is of another network than the contract: of ${hex(networkId(network)).slice(0, 16)}, not ${hex(place.network).slice(0, 16)}`,
  );
}

function refusalOf(what: string, { reason, detail }: Extract<AnchorVerdict, { status: 'refused' }>): CommandFailure {
  return new CommandFailure(1, `${what} does not fit the contract (${reason}): ${detail}`);
}

function adviceOn(error: unknown, file: string): unknown {
  if (!(error instanceof ClientFailure || error instanceof CommandFailure)) return error;
  return new CommandFailure(1, `there is no ${file}, and no device to ask for it: ${error.message}`, { cause: error });
}
