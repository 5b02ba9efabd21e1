/** A command's conversation about the trust of members: with a device that proves what it says, by the network file of whoever asks. */
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { hex } from '#protocol/digest.ts';
import { explainTrust, type ExplainedTrust } from '#protocol/explained-trust.ts';
import type { Network } from '#protocol/network.ts';
import { nearestAdvice } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { defaultState } from '../capsule/options.ts';
import { chooseProfile } from '../capsule/profile.ts';
import { withSession } from '../capsule/session.ts';
import { readNetworkFile } from '../capsule/verification.ts';
import { chainOptions, type ChainChoice } from '../chain/session.ts';
import type { Client } from '../client/client.ts';
import { ClientFailure } from '../client/failure.ts';
import { fetchProvenMembers, type ProvenMember } from '../client/proven-members.ts';

export const trustOptions = {
  ...chainOptions,
  network: { value: 'FILE', help: 'network file to check by (default: network.cbor in the state folder)' },
} as const;

export interface TrustChoice extends ChainChoice {
  readonly network?: string | undefined;
}

export interface TrustSession {
  readonly client: Client;
  readonly network: Network;
}

/** @throws CommandFailure where there is nothing to check by, or nothing is judged in this network */
export async function askAboutTrust<T>(choice: TrustChoice, ask: (session: TrustSession) => Promise<T>): Promise<T> {
  const state = choice.state ?? defaultState;
  const given = choice.network === undefined ? undefined : await readNetworkFile(choice.network);
  const use = async ({ client, network: known }: { client: Client; network: Network | undefined }): Promise<T> => {
    const network = given ?? known;
    if (!network) throw new CommandFailure(2, `there is no network file in ${state} to check by; --network names one that you trust`);
    requireTrust(network);
    return ask({ client, network });
  };
  return withSession(state, await chooseProfile(state, choice), use, 'trust');
}

export function requireTrust({ genesis }: Network): void {
  if (genesis.trust) return;
  throw new CommandFailure(
    1,
    `the members of network ${genesis.name} do not judge one another: its genesis has no \`trust\` (§18). Evidence among devices: \`npm run chain -- peers\``,
  );
}

/** By name, or by the beginning of its node id. @throws CommandFailure that names who there is */
export async function fetchMember(
  { client, network }: TrustSession,
  named: string,
): Promise<{ member: ProvenMember; all: ProvenMember[] }> {
  const all = await fetchProvenMembers(client, network);
  const fitting = all.filter(
    ({ record }) => record.member.name === named || (named.length >= 4 && hex(record.node).startsWith(named.toLowerCase())),
  );
  const [member] = fitting;
  if (member && fitting.length === 1) return { member, all };
  if (member) throw new CommandFailure(2, `more than one node id begins with ${named}; give more digits`);
  const names = all.map(({ record }) => record.member.name);
  throw new CommandFailure(2, `there is no member "${named}"; ${nearestAdvice(named, names)}`);
}

/** What of the evidence of its slots the device still has. */
export async function fetchEvidence(client: Client, { record }: ProvenMember): Promise<Uint8Array[]> {
  const shown: Uint8Array[] = [];
  for (const { slot } of record.trust?.slots ?? []) {
    const evidence = await client.chain({ show: 'evidence', node: record.node, slot }).catch((error: unknown) => {
      if (error instanceof ClientFailure && error.code === 'refused-unknown-evidence') return undefined;
      throw error;
    });
    if (evidence) shown.push(evidence.evidence);
  }
  return shown;
}

/** @throws ClientFailure where the evidence that a device has shown is not that of the state */
export function requireExplained(
  { record, checkpoint }: ProvenMember,
  evidence: readonly Uint8Array[],
  network: Network,
): ExplainedTrust | undefined {
  const verdict = explainTrust(checkpoint, record, evidence, { network, crypto: nobleCrypto });
  if (verdict.status === 'accepted') return verdict.explained;
  if (verdict.reason === 'trust-off') return undefined;
  throw new ClientFailure(
    'proof-refused',
    `the evidence that the device shows is not what the chain has of ${record.member.name}: ${verdict.detail}`,
  );
}
