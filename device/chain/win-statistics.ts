/**
 * Win statistics: whether a member, or a group, has won more blocks than its seats explain. Pure. Specification §12.5.
 *
 * Every seat wins a height with the same probability, whatever came before, so a bet on "this member wins" at fair odds earns
 * nothing in the long run. A tally bets on a member with several strengths at once; its wealth, which starts at 1, is an
 * e-value: under honest play it ever exceeds 1/α with probability at most α (Ville's inequality), however often one looks. Most
 * of the wealth lies aside and is put in over time, so that a member that begins to cheat after years is found as well.
 *
 * Reported, and refuses nobody. Plain IEEE products and sums, so every member comes to the same numbers.
 */

/** How much likelier than fair a win is taken to be by each bet; that of twice grows fastest against a doubled share. */
const strengths = [1.25, 1.5, 2, 3, 5, 10] as const;

/** A member near the others hears of blocks sooner and wins a little more without cheating: odds are fair to one with this factor. */
const placeAdvantage = 1.05;

/** Bets are capped here, so that years of a cheat that everybody knows of don't overflow. Less wealth is always allowed. */
const wealthMax = 1e300;

/** Whose fair chance is above this wins nearly always: there is nothing left to bet on. */
const chanceMax = 0.95;

export interface WinTally {
  /** Heights in which the member or one of the group had a seat. */
  readonly heights: number;
  readonly wins: number;
  /** Wins to be expected of its seats. */
  readonly expected: number;
  /** Wealth not yet put in. */
  readonly aside: number;
  /** Wealth of each bet, in the order of the strengths. */
  readonly bets: readonly number[];
}

export interface WinStatistics {
  readonly members: ReadonlyMap<string, WinTally>;
  readonly groups: ReadonlyMap<string, WinTally>;
}

export const noWins: WinStatistics = { members: new Map(), groups: new Map() };

/** A finalised block, and whose draws were possible there. */
export interface Win {
  readonly winner: string;
  /** Seats in force. */
  readonly seats: readonly string[];
}

/**
 * Takes a finalised block into the statistics; each height once, in their order.
 * @param groups members that are watched together (one owner, one vendor of chips); fixed before the blocks that they are judged by
 */
export function noteWin(statistics: WinStatistics, win: Win, groups: ReadonlyMap<string, ReadonlySet<string>> = new Map()): WinStatistics {
  const members = new Map(statistics.members);
  for (const seat of win.seats) members.set(seat, counted(members.get(seat), 1 / win.seats.length, win.winner === seat));
  const grouped = new Map(statistics.groups);
  for (const [name, group] of groups) {
    const seats = win.seats.filter((seat) => group.has(seat)).length;
    if (seats > 0) grouped.set(name, counted(grouped.get(name), seats / win.seats.length, group.has(win.winner)));
  }
  return { members, groups: grouped };
}

/** Forgets who no longer has a seat: bounds what is kept by the members. */
export function withoutOthers(statistics: WinStatistics, seats: ReadonlySet<string>): WinStatistics {
  return { ...statistics, members: new Map([...statistics.members].filter(([member]) => seats.has(member))) };
}

export type WinVerdict = 'as-drawn' | 'too-many';

export interface WinReport {
  readonly wins: number;
  readonly expected: number;
  /** At most 1/α with probability 1 − α, ever, for an honest member. */
  readonly evidence: number;
  readonly verdict: WinVerdict;
}

/** @param falseAlarm α: the probability that an honest member is ever reported */
export function judgeWins(tally: WinTally, falseAlarm: number): WinReport {
  const evidence = wealthOf(tally);
  return { wins: tally.wins, expected: tally.expected, evidence, verdict: evidence * falseAlarm >= 1 ? 'too-many' : 'as-drawn' };
}

/** An e-value of "all members play honestly" while the same members have the seats: the mean of theirs, whatever their number. */
export function evidenceAgainstAll({ members }: WinStatistics): number {
  const wealth = [...members.values()].reduce((sum, tally) => sum + wealthOf(tally) / members.size, 0);
  return members.size === 0 ? 1 : wealth;
}

const newTally: WinTally = { heights: 0, wins: 0, expected: 0, aside: 1, bets: strengths.map(() => 0) };

/** One height. @param share its seats of all seats there */
function counted(tally: WinTally = newTally, share: number, won: boolean): WinTally {
  const aside = Math.min(tally.aside, keptAside(tally));
  const put = (tally.aside - aside) / strengths.length;
  const chance = share * placeAdvantage;
  const bets = tally.bets.map((wealth, index) => Math.min((wealth + put) * factorOf(chance, strengths[index] ?? 1, won), wealthMax));
  return { heights: tally.heights + 1, wins: tally.wins + (won ? 1 : 0), expected: tally.expected + share, aside, bets };
}

/** What a bet is multiplied by: 1 in the mean where the member wins with this chance, less where with a smaller one. */
function factorOf(chance: number, strength: number, won: boolean): number {
  if (chance > chanceMax) return 1;
  const backed = Math.min(chance * strength, (1 + chance) / 2);
  return won ? backed / chance : (1 - backed) / (1 - chance);
}

/**
 * Half is put in at once, and 1/(k + 2) still lies aside after k expected wins. A cheat that begins then is met by bets of
 * about 1/k², which its growth makes good in a few wins.
 */
function keptAside({ expected }: WinTally): number {
  return 1 / (2 + Math.floor(expected));
}

function wealthOf({ aside, bets }: WinTally): number {
  return bets.reduce((sum, wealth) => sum + wealth, aside);
}
