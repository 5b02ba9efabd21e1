/** What a voter of the model may hear at a step, and how it reads. Specification §13.3. */
import { at, honest, liar, steps, voteNames, type ModelState, type Reaction, type Vote } from './finality-state.ts';

export type Heard =
  | { readonly what: 'ballot'; readonly from: number; readonly round: number; readonly step: number; readonly vote: Vote }
  | { readonly what: 'proposal'; readonly round: number; readonly vote: Vote; readonly validRound: number; readonly backers: number[] }
  | { readonly what: 'candidate'; readonly vote: Vote }
  | { readonly what: 'timeout' };

/** All sets of the ballots of one round and step that others have cast, with each that the liar could cast, or none of it. */
export function* ballotSets(state: ModelState, self: number, round: number, step: number): Generator<Heard[]> {
  const cast = honest.flatMap((from): Heard[] => {
    const vote = at(state.voters, from).votes[2 * round + step] ?? 0;
    return from === self || vote === 0 ? [] : [{ what: 'ballot', from, round, step, vote }];
  });
  for (let chosen = 0; chosen < 1 << cast.length; chosen += 1) {
    const some = cast.filter((_, index) => ((chosen >> index) & 1) === 1);
    if (some.length > 0) yield some;
    for (const vote of [1, 2, 3] as const) yield [...some, { what: 'ballot', from: liar, round, step, vote }];
  }
}

/** Two voters in later rounds, not the same one perhaps. */
export function* skips(state: ModelState, self: number, rounds: number): Generator<Heard[]> {
  const { round } = at(state.voters, self);
  const ahead = honest.flatMap((from): Heard[] => {
    const { votes } = at(state.voters, from);
    return votes.flatMap((vote, index): Heard[] =>
      vote === 0 || from === self || index >> 1 <= round ? [] : [{ what: 'ballot', from, round: index >> 1, step: index & 1, vote }],
    );
  });
  for (let later = round + 1; later <= rounds; later += 1) ahead.push({ what: 'ballot', from: liar, round: later, step: 0, vote: 1 });
  for (const [index, left] of ahead.entries()) for (const right of ahead.slice(index + 1)) yield [left, right];
}

export function keyOf(heard: Heard): string {
  switch (heard.what) {
    case 'ballot':
      return `b${heard.from}${heard.round}${heard.step}${heard.vote}`;
    case 'proposal':
      return `p${heard.round}${heard.vote}${heard.validRound}${heard.backers.join('')}`;
    case 'candidate':
      return `c${heard.vote}`;
    case 'timeout':
      return 't';
  }
}

export function show(heard: Heard): string {
  switch (heard.what) {
    case 'ballot':
      return `${at(steps, heard.step)} ${heard.round} ${voteNames[heard.vote] ?? ''} of ${heard.from}`;
    case 'proposal':
      return `proposal ${heard.round} ${voteNames[heard.vote] ?? ''}${heard.validRound < 0 ? '' : ` backed in ${heard.validRound} by ${heard.backers.join()}`}`;
    case 'candidate':
      return `candidate ${voteNames[heard.vote] ?? ''}`;
    case 'timeout':
      return 'timers';
  }
}

export function showReaction({ round, casts, proposals }: Reaction): string {
  const said = casts.map((cast) => `${at(steps, cast.step)} ${cast.round} ${voteNames[cast.vote] ?? ''}`);
  return [...said, ...proposals.map((made) => `proposes ${made}`), `round ${round}`].join(', ');
}
