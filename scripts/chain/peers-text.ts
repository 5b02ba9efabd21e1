/** The members in a table. */
import type { ChainView, PeerView } from '#protocol/chain/chain-view.ts';
import { durationText, table, type Terminal } from '../terminal.ts';
import { counted } from './words.ts';

type PeersView = Extract<ChainView, { show: 'peers' }>;
type Paint = Terminal['paint'];

/** @param processOf its process on this machine, where it is a device of a grid that runs here */
export function peersText(view: PeersView, processOf: (name: string) => number | undefined, { paint }: Pick<Terminal, 'paint'>): string {
  const processes = view.peers.map(({ name }) => processOf(name));
  const hasProcesses = processes.some((id) => id !== undefined);
  const head = ['member', 'standing', 'last vote', 'blocks', 'luck', "TPM's clock", 'reach', ...(hasProcesses ? ['process'] : [])];
  const rows = view.peers.map((peer, index) => [
    peer.name,
    standingWords(peer, paint),
    voteWords(peer, view.certificates, paint),
    blocksWords(peer),
    luckWords(peer, paint),
    clockWords(peer, paint),
    reachWords(peer, paint),
    ...(hasProcesses ? [String(processes[index] ?? '')] : []),
  ]);
  const counting = `blocks and clocks of ${counted(view.window, 'finalised block')} since the device was started`;
  return `${table([head.map((word) => paint('quiet', word)), ...rows])}\n\n  ${paint('quiet', counting)}`;
}

function standingWords({ standing, seat }: PeerView, paint: Paint): string {
  switch (standing) {
    case 'member':
      return seat === 'in-force' ? 'seat' : paint('warning', 'member, seat to come');
    case 'applicant':
      return paint('warning', 'applicant');
    case 'left':
      return paint('quiet', 'has left');
    case 'expelled':
      return paint('bad', 'EXPELLED');
  }
}

function voteWords({ votedIn, seat }: PeerView, certificates: number, paint: Paint): string {
  if (seat === 'none') return '';
  const ago = Math.max(0, certificates - votedIn);
  if (votedIn === 0) return certificates === 0 ? 'none yet' : paint('bad', 'none');
  if (ago === 0) return 'last checkpoint';
  // With one of four absent each of the others is needed; without, three may be quicker than the fourth for a while.
  return paint(ago > silentCheckpoints ? 'warning' : 'strong', `${counted(ago, 'checkpoint')} ago`);
}

const silentCheckpoints = 5;

function blocksWords({ blocks, expectedBlocksMilli }: PeerView): string {
  return expectedBlocksMilli === undefined ? '' : `${blocks} of ${(expectedBlocksMilli / 1_000).toFixed(1)}`;
}

function luckWords({ wins, winsMilli }: PeerView, paint: Paint): string {
  if (winsMilli === undefined) return '';
  const value = winsMilli / 1_000;
  const words = value < 100 ? value.toFixed(1) : value.toExponential(0);
  return wins === 'too-many' ? paint('bad', `TOO MANY (${words})`) : words;
}

function clockWords({ rate, ratePpm, rateOverMs }: PeerView, paint: Paint): string {
  if (ratePpm === undefined) return paint('quiet', 'not known yet');
  const percent = `${ratePpm < 0 ? '−' : '+'}${(Math.abs(ratePpm) / 10_000).toFixed(2)} %`;
  const over = rateOverMs === undefined ? '' : ` over ${durationText(rateOverMs)}`;
  return rate === 'fast' || rate === 'slow' ? paint('bad', `${rate.toUpperCase()} ${percent}${over}`) : `${percent}${over}`;
}

function reachWords({ reach }: PeerView, paint: Paint): string {
  switch (reach) {
    case 'self':
      return 'asked';
    case 'connected':
      return 'reached';
    case 'lost':
      return paint('bad', 'NOT REACHED');
  }
}
