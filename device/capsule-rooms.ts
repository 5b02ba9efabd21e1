/**
 * The rooms in which capsules are dealt with, put together: the gateway and its orders for clients, the controller for the
 * device's own boxes. Between them lie the chain and the lines to the other members. Specification §15.
 */
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { decodeBulk, encodeBulk } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { networkId, networkLabel, type Network } from '#protocol/network.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { BoxWatch } from './control/ports.ts';
import type { Chain, ShowChain } from './chain/chain-port.ts';
import { Gateway, type GatewayParts } from './gateway/gateway.ts';
import { Orders } from './gateway/orders.ts';
import type { CloseSecret } from './hpc/box-measuring.ts';
import { Controller } from './hpc/controller.ts';
import type { Issuer } from './hpc/receipt-issuer.ts';
import type { ReferenceFiles } from './hpc/reference-file.ts';
import type { CapsuleKind, PeerLines } from './peers.ts';
import type { Clock, Log, OperationalSigner, Publisher, Random } from './ports.ts';
import type { BlobStore } from './store/blob-store.ts';
import { chunkOf } from './store/served-chunk.ts';
import type { Store } from './store/store.ts';

export interface CapsuleRoomsParts {
  readonly network: Network;
  /** This device's name and node id. */
  readonly device: string;
  readonly node: Uint8Array;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly publisher: Publisher;
  readonly chain: Chain;
  readonly showChain: ShowChain;
  readonly peers: PeerLines;
  readonly crypto: Crypto;
  readonly sign: OperationalSigner;
  readonly issuer: () => Issuer | undefined;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of boxes with a TPM (§6.5). */
  readonly closeSecret: CloseSecret;
  readonly references: ReferenceFiles;
  readonly boxLogs: BlobStore;
  readonly control: BoxWatch;
}

export interface CapsuleRooms {
  readonly gateway: Gateway;
  readonly orders: Orders;
  readonly controller: Controller;
  /** Takes up what was not finished, once boxes are known. */
  resume(): void;
  /** To be called every `DEVICE_LIMITS.dutyIntervalMs`. */
  timePassed(): void;
  /** Nothing is heard any more; the store may be closed. */
  close(): void;
}

export function openCapsuleRooms(parts: CapsuleRoomsParts): CapsuleRooms {
  const { network, device, chain, peers, crypto } = parts;
  const id = networkId(network);
  const command: GatewayParts['command'] = (client, asked) => parts.control.command(client, asked);
  const gateway = new Gateway({ ...parts, command, network: id, networkLabel: networkLabel(network) });
  const orders = new Orders({ ...parts, news: gateway });
  const { closeSecret, references, boxLogs } = parts;
  const measuring = { closeSecret, references, logs: boxLogs, authorities: network.genesis.endorsementAuthorities };
  const controller = new Controller({ ...parts, measuring, listener: { network: id, device, crypto } });
  let isClosed = false;
  peers.onSaid((from, kind, payload) => {
    if (!isClosed) peerSaid({ ...parts, orders, controller }, from, kind, payload);
  });
  let isDue = false;
  chain.onChange(() => {
    // Many changes may come at once, and some while an order is just being changed.
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      if (isClosed) return;
      orders.chainChanged();
      controller.chainChanged();
    });
  });
  return {
    gateway,
    orders,
    controller,
    resume: () => {
      orders.resume();
      controller.resume();
    },
    timePassed: () => {
      orders.timePassed();
      controller.timePassed();
    },
    close: () => {
      isClosed = true;
      peers.close();
    },
  };
}

interface Spoken extends CapsuleRoomsParts {
  readonly orders: Orders;
  readonly controller: Controller;
}

function peerSaid(spoken: Spoken, from: string, kind: CapsuleKind, payload: Uint8Array): void {
  const { orders, controller, log } = spoken;
  switch (kind) {
    case 'order':
      return controller.orderSaid(from, payload);
    case 'news':
      return orders.newsSaid(from, payload);
    case 'need':
      return void serveBlob(spoken, from, payload).catch((error: unknown) =>
        log('blobNotServed', { peer: from, error: error instanceof Error ? error.message : 'unknown' }),
      );
    case 'chunk':
      return chunkSaid(spoken, from, payload);
  }
}

async function serveBlob({ orders, controller, blobs, peers, log }: Spoken, from: string, payload: Uint8Array): Promise<void> {
  const need = decodeBulk(BlobNeed, payload, LIMITS.packetBytesMax);
  if (need.status === 'malformed') return log('peerMessageIgnored', { peer: from, kind: 'need' });
  const digest = hex(need.value.digest);
  const isIts = orders.mayHave(from, digest) || controller.mayHave(from, digest);
  const total = isIts ? await blobs.size(digest) : undefined;
  peers.say(from, 'chunk', encodeBulk(BlobChunk, await chunkOf(blobs, need.value, total)));
}

/** One of both has asked for it; the other passes it over. */
function chunkSaid({ orders, controller, log }: Spoken, from: string, payload: Uint8Array): void {
  const chunk = decodeBulk(BlobChunk, payload, LIMITS.packetBytesMax);
  if (chunk.status === 'malformed') return log('peerMessageIgnored', { peer: from, kind: 'chunk' });
  orders.chunkFromExecutor(from, chunk.value);
  controller.chunkFromGateway(from, chunk.value);
}
