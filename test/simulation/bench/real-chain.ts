/** A chain of four members with real signatures, in one process: software keys, attestations as a TPM makes them, certified blocks. */
import { BallotMessage } from '#protocol/chain/ballot.ts';
import { capsuleIdFrom } from '#protocol/capsule.ts';
import { blockId, encodeBlock, encodeHeader, type ReadBlock } from '#protocol/chain/block.ts';
import { signAction } from '#protocol/chain/signed-action.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { endQualifier, startQualifier } from '#protocol/chain/wait-certificate.ts';
import { encodeStrict } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { networkId } from '#protocol/network.ts';
import { signingInput } from '#protocol/signed.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { createLedger, type Ledger } from '../../../device/ledger/ledger.ts';
import type { Position } from '../../../device/ledger/position.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { realKeySource } from '../real-keys.ts';
import { memberWith, stubNetwork, type StubMember } from '../stub-tpm.ts';

export interface RealBlock {
  readonly block: ReadBlock;
  readonly parent: Position;
  readonly position: Position;
}

const beginUnixMs = 1_700_000_000_000;
const boot = { resetCount: 1, restartCount: 0 };

export class RealChain {
  readonly crypto: Crypto = createNodeCrypto();
  readonly members: readonly StubMember[];
  readonly network;
  readonly networkId: Uint8Array;
  readonly #ids: Uint8Array[];
  #checkpoint: { readonly number: number; readonly position: Position };
  #serial = 0;
  tip: Position;

  constructor(count: number) {
    this.members = Array.from({ length: count }, (_, index) => memberWith(`member-${index}`, realKeySource(`member-${index}`)));
    this.network = stubNetwork(this.members, { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 1_000 });
    this.networkId = networkId(this.network);
    this.tip = this.ledger().genesis();
    this.#ids = [this.tip.id];
    this.#checkpoint = { number: 0, position: this.tip };
  }

  /** One that has seen no signature yet. */
  ledger(crypto: Crypto = this.crypto): Ledger {
    return createLedger({ network: this.network, networkId: this.networkId, crypto });
  }

  readonly branch = { ancestorAt: (height: number): Uint8Array | undefined => this.#ids[height] };

  /** The vouchers of all, without which nobody may say anything. */
  vouchers(): Uint8Array[] {
    return this.members.map((member) => {
      const { publicKey } = member.operationalKey('boot');
      return encodeTransaction({ kind: 'voucher', voucher: member.voucher(this.networkId, { timeMs: 1, ...boot }, publicKey) });
    });
  }

  /** Submissions of capsules, signed by the members in turns. */
  submissions(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => this.#submission((this.#serial += 1)));
  }

  /** The certificate of the tip as the next checkpoint, with the votes of all. */
  certifyTip(): Uint8Array {
    const [number, previous, { id: block, height }] = [this.#checkpoint.number + 1, this.#checkpoint.position.id, this.tip];
    const instance = checkpointInstance(this.networkId, number, previous);
    const votes = this.members.map((member) => {
      const ballot = { network: this.networkId, instance, round: 0, step: 'precommit' as const, value: block, node: member.node };
      const key = member.operationalKey('boot');
      const signature = key.sign(signingInput(BallotMessage.domain, encodeStrict(BallotMessage.body, ballot)));
      return { node: member.node, key: key.publicKey, signature };
    });
    votes.sort((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1));
    this.#checkpoint = { number, position: this.tip };
    const certificate: FinalityCertificate = { number, previous, block, height, round: 0, votes };
    return encodeTransaction({ kind: 'finality', certificate });
  }

  /** The next block, by whoever waits shortest; its wait certificates name moments that nobody has waited for. */
  extend(candidates: readonly Uint8Array[], ledger: Ledger = this.ledger()): RealBlock {
    const parent = this.tip;
    const height = parent.height + 1;
    const { member, proof, output, waitMs } = this.#leaderOn(parent, ledger);
    const { node } = member;
    const startMs = 1_000_000 + height * 100_000;
    const qualifier = startQualifier({ network: this.networkId, parent: parent.id, node, height });
    const start = member.getTime(qualifier, { timeMs: startMs, ...boot });
    const timeMs = (parent.height === 0 ? beginUnixMs : parent.timeMs) + waitMs;
    const composed = ledger.compose(parent, { node, output, start, timeMs }, candidates, this.branch);
    const [refused] = composed.refused;
    if (refused) throw new Error(`a good transaction is refused: ${refused.reason}, ${refused.detail}`);
    const header = {
      ...{ version: 1 as const, network: this.networkId, height, parent: parent.id, node, timeMs },
      ...{ draw: proof, start, transactions: composed.root, state: composed.stateRoot },
    };
    const headerBytes = encodeHeader(header);
    const end = member.getTime(endQualifier(headerBytes), { timeMs: startMs + waitMs, ...boot });
    const { transactions } = composed;
    const id = blockId(headerBytes, end);
    const block = { id, header, headerBytes, end, transactions, encoded: encodeBlock({ header: headerBytes, end, transactions }) };
    this.tip = { id, height, timeMs, state: composed.state };
    this.#ids[height] = id;
    return { block, parent, position: this.tip };
  }

  #leaderOn(parent: Position, ledger: Ledger) {
    const drawn = this.members.map((member) => {
      const draw = ledger.draw(parent, member.node);
      if (draw.status === 'no-seat') throw new Error(draw.detail);
      const proof = member.prove(draw.alpha);
      const output = vrfOutput(this.crypto, proof);
      return { member, proof, output, waitMs: ledger.waitMs(parent, output) };
    });
    return drawn.reduce((best, next) => (next.waitMs < best.waitMs ? next : best));
  }

  #submission(serial: number): Uint8Array {
    const member = this.members[serial % this.members.length];
    if (!member) throw new Error('a chain takes members');
    const key = member.operationalKey('boot');
    const digest = blobDigest(new TextEncoder().encode(`capsule ${serial}`));
    const action = {
      ...{
        action: 'submission' as const,
        capsule: capsuleIdFrom({ network: this.networkId, device: member.name, requestDigest: digest, capsule: digest }),
        requestDigest: digest,
        digest,
        manifest: blobDigest(digest),
        manifestBytes: 1_000,
      },
      ...{ runtime: 'node', trust: 'self-reported' as const, acceptedAtMs: Math.max(beginUnixMs, this.tip.timeMs) },
    };
    return signAction(this.networkId, { by: member.node, key: key.publicKey }, action, (input) => key.sign(input));
  }
}
