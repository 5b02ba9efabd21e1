/** Views of a chain as a device would give them. */
import type { BlockLine, BlockView, ChainView, HeadView, PeerView } from '#protocol/chain/chain-view.ts';

export function idOf(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}

/** The block of this height on a branch; branches with the same letter share their ids. */
export function blockAt(height: number, branch = 0, parentBranch = branch): BlockLine {
  return {
    id: idOf(height + branch),
    height,
    parent: idOf(height - 1 + parentBranch),
    leader: 'bravo',
    timeMs: 1_700_000_000_000 + height * 1_000,
    waitMs: 812,
    transactions: 1,
  };
}

export function headAt(height: number, changes: Partial<HeadView> = {}): HeadView {
  return {
    device: 'alpha',
    condition: 'finalising',
    head: blockAt(height),
    checkpoint: checkpointAt(height - 1),
    epoch: 0,
    members: 4,
    seats: 4,
    reached: 4,
    voting: 4,
    targetIntervalMs: 1_000,
    atMs: 1_700_000_000_500 + height * 1_000,
    ...changes,
  };
}

export function checkpointAt(height: number, knownForMs = 200): HeadView['checkpoint'] {
  return { number: height - 1, height, block: idOf(height), round: 0, votes: 3, voters: 4, afterMs: 56, knownForMs };
}

export function blockView(changes: Partial<BlockView> = {}): BlockView {
  return {
    block: blockAt(9),
    bytes: 1_640,
    epoch: 0,
    standing: 'final',
    checkpoint: { number: 8, height: 9, round: 0, votes: ['delta', 'alpha', 'bravo'] },
    startedAtTpmMs: 50_000,
    endedAtTpmMs: 50_815,
    transactions: [{ id: idOf(0xab), kind: 'submission', about: 'capsule 3f00aa11, node, by alpha' }],
    ...changes,
  };
}

export function peer(name: string, changes: Partial<PeerView> = {}): PeerView {
  return {
    name,
    node: idOf(name.charCodeAt(0)),
    standing: 'member',
    seat: 'in-force',
    reach: name === 'alpha' ? 'self' : 'connected',
    heardMs: name === 'alpha' ? 0 : 400,
    headHeight: 9,
    voice: 'votes',
    votedIn: 8,
    boxes: 1,
    firstBox: `${name}-box`,
    boxTrust: 'software-tpm',
    blocks: 3,
    expectedBlocksMilli: 2_250,
    winsMilli: 900,
    wins: 'as-drawn',
    ratePpm: 1_500,
    rateOverMs: 26_300,
    rate: 'within-tolerance',
    ...changes,
  };
}

export function peersView(peers: PeerView[]): Extract<ChainView, { show: 'peers' }> {
  const seats = peers.filter(({ seat }) => seat === 'in-force');
  const voting = seats.filter(({ voice }) => voice === 'votes').length;
  return { show: 'peers', window: 9, certificates: 8, seats: seats.length, voting, peers };
}

/** Paints nothing, as where nobody watches. */
export const plain = { paint: (_style: unknown, text: string): string => text };
