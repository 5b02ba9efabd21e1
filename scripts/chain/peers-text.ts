/** The members in a table, and below it whether their votes are enough. */
import type { ChainView, PeerView } from '#protocol/chain/chain-view.ts';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { counted } from '#protocol/counted.ts';
import { durationText, table, type Terminal } from '../terminal.ts';

type PeersView = Extract<ChainView, { show: 'peers' }>;
type Paint = Terminal['paint'];

/** @param processOf its process on this machine, where it is a device of a grid that runs here */
export function peersText(view: PeersView, processOf: (name: string) => number | undefined, { paint }: Pick<Terminal, 'paint'>): string {
  const processes = view.peers.map(({ name }) => processOf(name));
  const hasProcesses = processes.some((id) => id !== undefined);
  const last = hasProcesses ? ['process'] : [];
  const head = ['member', 'seat', 'votes', 'heard', 'head', 'boxes', 'blocks led', 'luck', "TPM's clock", ...last];
  const rows = view.peers.map((peer, index) => [
    peer.name,
    standingWords(peer, paint),
    voteWords(peer, view.certificates, paint),
    heardWords(peer, paint),
    String(peer.headHeight ?? ''),
    boxWords(peer),
    blocksWords(peer),
    luckWords(peer, paint),
    clockWords(peer, paint),
    ...(hasProcesses ? [String(processes[index] ?? '')] : []),
  ]);
  const counting = `A seat is one vote. Blocks and clocks: of ${counted(view.window, 'finalised block')} since the device was started. Luck of L: by chance once in L at most.`;
  return `${table([head.map((word) => paint('quiet', word)), ...rows])}\n\n  ${paint('quiet', counting)}\n  ${votingWords(view, paint)}`;
}

/** "3 of 4 seats vote, 3 needed: what is ordered becomes final. Silent: charlie" */
function votingWords({ seats, voting, peers }: PeersView, paint: Paint): string {
  const needed = quorumOf(seats);
  const silent = peers.filter(({ voice }) => voice === 'silent').map(({ name }) => name);
  const style = voting < needed ? 'bad' : silent.length > 0 ? 'warning' : 'good';
  const meaning = voting < needed ? 'nothing becomes final until more are back' : 'blocks become final';
  const who = silent.length === 0 ? '' : `. Silent: ${silent.join(', ')}`;
  return paint(style, `${voting} of ${counted(seats, 'seat')} vote, ${needed} needed: ${meaning}${who}`);
}

function standingWords({ standing, seat }: PeerView, paint: Paint): string {
  switch (standing) {
    case 'member':
      return seat === 'in-force' ? 'yes' : paint('warning', 'to come');
    case 'applicant':
      return paint('warning', 'applicant');
    case 'left':
      return paint('quiet', 'has left');
    case 'expelled':
      return paint('bad', 'EXPELLED');
  }
}

function voteWords({ votedIn, seat, voice, heardMs }: PeerView, certificates: number, paint: Paint): string {
  if (seat === 'none') return '';
  const last = lastVoteWords(votedIn, certificates);
  if (voice === 'silent') return paint('bad', silenceWords(heardMs));
  // With one of four absent each of the others is needed; without, three may be quicker than the fourth for a while.
  return certificates - votedIn > silentCheckpoints ? paint('warning', last) : last;
}

/** Who says its head and no ballot has a voice, but no vote. */
function silenceWords(heardMs: number | undefined): string {
  if (heardMs === undefined) return 'SILENT';
  return heardMs < briefMs ? 'NO BALLOT' : `SILENT ${durationText(heardMs)}`;
}

const briefMs = 3_000;

function lastVoteWords(votedIn: number, certificates: number): string {
  if (votedIn === 0) return 'none yet';
  const ago = certificates - votedIn;
  return ago <= 0 ? 'last checkpoint' : `${counted(ago, 'checkpoint')} ago`;
}

const silentCheckpoints = 5;

/** On its own broker a member says where it stands whenever that changes; a broker can outlive its device. */
function heardWords({ heardMs, reach, standing }: PeerView, paint: Paint): string {
  if (reach === 'self') return 'asked';
  if (standing === 'left' || standing === 'expelled') return '';
  const ago = heardMs === undefined ? 'not yet' : `${durationText(heardMs)} ago`;
  return reach === 'lost' ? paint('bad', `${ago}, NOT REACHED`) : ago;
}

function boxWords({ boxes, firstBox, boxTrust = 'self-reported' }: PeerView): string {
  if (firstBox === undefined) return '';
  return boxes > 1 ? `${firstBox} and ${boxes - 1} more (up to ${boxTrust})` : `${firstBox} (${boxTrust})`;
}

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
  if (ratePpm === undefined) return '';
  const percent = `${ratePpm < 0 ? '−' : '+'}${(Math.abs(ratePpm) / 10_000).toFixed(2)} %`;
  const over = rateOverMs === undefined ? '' : ` over ${durationText(rateOverMs)}`;
  return rate === 'fast' || rate === 'slow' ? paint('bad', `${rate.toUpperCase()} ${percent}${over}`) : percent;
}
