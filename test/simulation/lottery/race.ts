/**
 * A network of members that race to the next block, as fast as it can be modelled: delays, held until due (§12.4), fork
 * choice (§12.7), one block for each member and height (§12.6), and a group of forged chips that plays one of several tricks.
 *
 * The group sees every block the moment it is made and reaches everybody at once: no place in a network is better. Votes are
 * reduced to what matters here: each honest node votes for the first head that it has at a height, above what it is locked on;
 * two thirds lock, and two delays later all follow (§13.3). Forged chips do not vote, and endorse (§12.8) none but their own blocks.
 */
import type { Chance } from '../chance.ts';
import { createEventQueue, type EventQueue } from '../event-queue.ts';
import { forkPays } from './fork-plan.ts';
import { abandoned, blockOf, chainOf, commonAncestor, descendsFrom, type RaceBlock } from './race-block.ts';
import { above, hasBacked, RaceEndorsements } from './race-endorsements.ts';
import { drawHeight, firstHonest, type HeightDraws } from './race-draws.ts';
import { dueOf, prefers } from './race-rules.ts';
import type { RaceOutcome, RaceSettings } from './race-settings.ts';

/** A wait that is longer than the shortest honest one by so many target intervals wins once in e^12. */
const hopelessIntervals = 12;
const fastClock = 1.2;
/** Of the delays: each is 50 to 150 % of the mean. */
const slowest = 1.5;
/** How many heights of draws the group looks ahead; later ones hardly ever decide. */
const forkAhead = 12;

export function runRace(settings: RaceSettings, chance: { readonly draws: Chance; readonly delays: Chance }): RaceOutcome {
  const race = new Race(settings, chance.draws, chance.delays);
  return race.run();
}

class Race {
  readonly #settings: RaceSettings;
  readonly #toleranceMs: number;
  readonly #endorsedAfterMs: number;
  readonly #honest: readonly number[];
  readonly #draws: Chance;
  readonly #delays: Chance;
  readonly #queue: EventQueue = createEventQueue();
  readonly #heights: (HeightDraws | undefined)[] = [];
  readonly #heads: RaceBlock[] = [];
  readonly #turns: number[] = [];
  readonly #ownHeights: number[] = [];
  readonly #blocksAt: number[] = [];
  readonly #forgedUsed = new Map<number, Set<number>>();
  /** Blocks that the group keeps back, by height. */
  readonly #kept = new Map<number, RaceBlock[]>();
  /** The private chain: its tip, what of it nobody else has seen, and whether it lies level with the public one. */
  #base: RaceBlock;
  #secret: RaceBlock[] = [];
  #level = false;
  #nextDueMs = 0;
  /** The last block with a quorum, and the last one of which everybody knows it. */
  #locked: RaceBlock;
  #final: RaceBlock;
  #finals: RaceBlock[] = [];
  #overruled = 0;
  readonly #endorsements: RaceEndorsements;
  readonly #byHeight = new Map<number, RaceBlock[]>();
  #highest: RaceBlock;
  #reorganisationMax = 0;
  #honestArrivals = 0;
  #honestHeld = 0;
  #honestTaken = 0;

  constructor(settings: RaceSettings, draws: Chance, delays: Chance) {
    this.#settings = settings;
    this.#toleranceMs = settings.targetIntervalMs * settings.toleranceShare;
    this.#endorsedAfterMs = settings.targetIntervalMs * settings.endorsedAfterShare;
    this.#draws = draws;
    this.#delays = delays;
    this.#honest = Array.from({ length: settings.nodes }, (_, node) => node).slice(firstHonest(this.#settings));
    const genesis = blockOf(undefined, { leader: -1, waitMs: 0, madeMs: 0, isForged: false }, settings.nodes);
    this.#base = genesis;
    this.#endorsements = new RaceEndorsements(genesis, settings.nodes, settings.forged);
    this.#locked = genesis;
    this.#final = genesis;
    this.#highest = genesis;
    for (let node = 0; node < settings.nodes; node += 1) {
      genesis.taken[node] = 1;
      this.#heads.push(genesis);
      this.#turns.push(0);
      this.#ownHeights.push(0);
    }
    this.#plan(genesis);
    this.#honest.forEach((node) => this.#begin(node));
  }

  run(): RaceOutcome {
    while (this.#highest.height < this.#settings.heights && this.#queue.next(Infinity));
    const endedMs = this.#queue.nowMs;
    // What is under way arrives, so that the last blocks are counted like the others.
    const { targetIntervalMs } = this.#settings;
    while (this.#queue.nowMs < endedMs + targetIntervalMs && this.#queue.next(endedMs + targetIntervalMs));
    return this.#outcome(endedMs);
  }

  #outcome(endedMs: number): RaceOutcome {
    const chain = [...chainOf(this.#highestHead())].filter(({ height }) => height > 0 && height <= this.#settings.heights);
    const onChains = this.#honest.map((node) => new Set(chainOf(this.#heads[node] ?? this.#final)));
    // A node whose head is below a checkpoint has still to hear of it.
    const reverted = this.#finals.filter((block) => onChains.some((blocks) => !blocks.has(block) && blocks.size > block.height));
    const isForged = (node: number): boolean => node < this.#settings.forged;
    return {
      height: chain.length,
      forgedWins: chain.filter(({ leader }) => isForged(leader)).length,
      forgedDrawn: chain.filter(({ height }) => isForged(this.#at(height).shortest)).length,
      forkedHeights: this.#blocksAt.filter((count, height) => count > 1 && height <= this.#settings.heights).length,
      reorganisationMax: this.#reorganisationMax,
      finalised: this.#finals.length,
      finalisedReverted: reverted.length,
      overruled: this.#overruled,
      honestHeldShare: this.#honestHeld / Math.max(1, this.#honestArrivals),
      honestRefused: this.#honestArrivals - this.#honestTaken,
      meanIntervalMs: endedMs / Math.max(1, chain.length),
    };
  }

  #at(height: number): HeightDraws {
    for (let next = this.#heights.length; next <= height; next += 1) this.#heights.push(drawHeight(this.#settings, this.#draws));
    return this.#heights[height] as HeightDraws;
  }

  #isHopeless(height: number, waitMs: number): boolean {
    return waitMs > this.#at(height).shortestHonestMs + hopelessIntervals * this.#settings.targetIntervalMs;
  }

  /** A node begins the wait for the height above its head. */
  #begin(node: number): void {
    const head = this.#heads[node] as RaceBlock;
    const turn = (this.#turns[node] = (this.#turns[node] ?? 0) + 1);
    const waitMs = this.#at(head.height + 1).waits[node] ?? 0;
    if (this.#isHopeless(head.height + 1, waitMs)) return;
    this.#queue.after(waitMs + this.#settings.certifyMs, () => {
      if (head.height < (this.#ownHeights[node] ?? 0)) return;
      if (this.#turns[node] === turn || this.#stillWins(node, head, waitMs)) this.#make(node, head, waitMs);
    });
  }

  /** A rival of the same parent came meanwhile, with a longer wait: one's own block is finished if it would be preferred (§12.7). */
  #stillWins(node: number, parent: RaceBlock, waitMs: number): boolean {
    const head = this.#heads[node] as RaceBlock;
    if (!this.#settings.goesOn || head.parent !== parent || waitMs >= head.waitMs) return false;
    return this.#queue.nowMs < (head.earliestMs[node] ?? 0) + this.#toleranceMs;
  }

  #make(node: number, parent: RaceBlock, waitMs: number): void {
    this.#ownHeights[node] = parent.height + 1;
    const block = this.#created(parent, node, waitMs);
    this.#arrive(node, block);
    for (const other of this.#honest) if (other !== node) this.#queue.after(this.#delayMs(), () => this.#arrive(other, block));
    for (const kept of this.#kept.get(block.height) ?? []) this.#sendForged(kept);
    this.#kept.delete(block.height);
    if (this.#hasOwnChain()) this.#meetRival(block);
  }

  #created(parent: RaceBlock, node: number, waitMs: number): RaceBlock {
    const isForged = node < firstHonest(this.#settings);
    const block = blockOf(parent, { leader: node, waitMs, madeMs: this.#queue.nowMs, isForged }, this.#settings.nodes);
    this.#byHeight.set(block.height, [...(this.#byHeight.get(block.height) ?? []), block]);
    this.#blocksAt[block.height] = (this.#blocksAt[block.height] ?? 0) + 1;
    return block;
  }

  #delayMs(): number {
    return this.#settings.delayMs * this.#delays.between(0.5, 1.5);
  }

  /** A block comes to a node, is held until its parent is there and it is due, and is taken. */
  #arrive(node: number, block: RaceBlock): void {
    const parent = block.parent as RaceBlock;
    if (parent.taken[node] !== 1) {
      parent.waiting.push({ node, go: () => this.#arrive(node, block) });
      return;
    }
    if (block.taken[node] === 1) return;
    const nowMs = this.#queue.nowMs;
    const comesMs = this.#settings.dated ? Math.min(nowMs, block.dateMs) : nowMs;
    const due = dueOf(parent.anchors[node] ?? 0, block.waitMs, comesMs, this.#toleranceMs);
    block.seenMs[node] = nowMs;
    block.earliestMs[node] = due.earliestMs;
    block.anchors[node] = due.anchorMs;
    const isHonest = block.leader >= firstHonest(this.#settings);
    if (isHonest) this.#honestArrivals += 1;
    if (!this.#settings.held || due.earliestMs <= nowMs) return this.#take(node, block);
    if (isHonest) this.#honestHeld += 1;
    this.#queue.at(due.earliestMs, () => this.#take(node, block));
  }

  #take(node: number, block: RaceBlock): void {
    if (block.taken[node] === 1) return;
    block.taken[node] = 1;
    if (block.leader >= firstHonest(this.#settings)) this.#honestTaken += 1;
    if (block.takers === 0) this.#plan(block);
    block.takers += 1;
    const head = this.#heads[node] as RaceBlock;
    if (prefers(block, head, node, this.#toleranceMs) && descendsFrom(block, this.#final)) this.#follow(node, head, block);
    const ready = block.waiting.filter((waiting) => waiting.node === node);
    if (ready.length === 0) return;
    block.waiting = block.waiting.filter((waiting) => waiting.node !== node);
    for (const { go } of ready) go();
  }

  #follow(node: number, head: RaceBlock, block: RaceBlock): void {
    if (block.parent !== head) this.#reorganisationMax = Math.max(this.#reorganisationMax, abandoned(head, block));
    this.#heads[node] = block;
    if (block.height > head.height) this.#vote(block);
    if (this.#endorsedAfterMs < Infinity)
      this.#queue.at(Math.max(block.earliestMs[node] ?? 0, block.seenMs[node] ?? 0) + this.#endorsedAfterMs, () =>
        this.#endorse(node, block),
      );
    if (block.height > this.#highest.height) this.#highest = block;
    this.#begin(node);
  }

  /** A head that is not final (§12.8). */
  #endorse(node: number, block: RaceBlock): void {
    if (this.#heads[node] !== block || this.#final === block) return;
    for (const half of this.#endorsements.endorse(node, block)) this.#queue.after(slowest * this.#settings.delayMs, () => this.#back(half));
  }

  /** Everybody knows: who is elsewhere goes to the highest block above it, and the group gives up what stands against it. */
  #back(block: RaceBlock): void {
    if (block.isBacked || !this.#endorsements.hasHalf(block) || !descendsFrom(block, this.#final)) return;
    block.isBacked = true;
    for (const node of this.#honest) {
      const head = this.#heads[node] as RaceBlock;
      if (block.taken[node] !== 1 || descendsFrom(head, block) || hasBacked(head, commonAncestor(head, block))) continue;
      this.#follow(node, head, this.#highestOn(block, node));
    }
    if (!this.#hasOwnChain() || descendsFrom(this.#base, block) || descendsFrom(block, this.#base)) return;
    if (block.height > this.#final.height) this.#join(this.#highestHead());
  }

  #highestOn(block: RaceBlock, node: number): RaceBlock {
    let best = block;
    for (let height = block.height + 1; ; height += 1) {
      const next = this.#byHeight.get(height)?.find((one) => one.taken[node] === 1 && descendsFrom(one, block));
      if (next === undefined) return best;
      best = next;
    }
  }

  #highestHead(): RaceBlock {
    return this.#honest.map((node) => this.#heads[node] as RaceBlock).reduce((one, other) => (other.height > one.height ? other : one));
  }

  #vote(block: RaceBlock): void {
    block.votes += 1;
    if (block.votes * 3 <= this.#settings.nodes * 2 || block.isFinal || !descendsFrom(block, this.#locked)) return;
    block.isFinal = true;
    this.#locked = block;
    this.#queue.after(2 * this.#settings.delayMs, () => this.#finalise(block));
  }

  /** A certificate goes around: whoever is elsewhere comes back, and no hold stands against it. */
  #finalise(block: RaceBlock): void {
    this.#final = block;
    this.#finals.push(block);
    this.#forget(block.height - 40);
    for (const node of this.#honest) {
      const head = this.#heads[node] as RaceBlock;
      if (descendsFrom(head, block)) continue;
      if (head.height >= block.height) this.#overruled += 1;
      if (block.taken[node] !== 1) this.#take(node, block);
      if (!descendsFrom(this.#heads[node] as RaceBlock, block)) this.#follow(node, head, block);
    }
  }

  /** What the group does on a block as soon as somebody has it. */
  #plan(parent: RaceBlock): void {
    if (this.#hasOwnChain() && parent.height > 0) return;
    const block = this.#forgedOn(parent);
    if (!block) return;
    if (this.#settings.trick === 'on-rival') this.#kept.set(block.height, [...(this.#kept.get(block.height) ?? []), block]);
    else if (this.#hasOwnChain()) this.#grow(block, parent.madeMs + block.waitMs);
    else this.#sendForged(block);
  }

  #hasOwnChain(): boolean {
    return this.#settings.trick === 'private' || this.#settings.trick === 'fork';
  }

  /** The group's chain grows by a block when that is due; while a private one lies level with the public one, it is shown at once. */
  #grow(block: RaceBlock, dueMs: number): void {
    const from = this.#base;
    this.#nextDueMs = dueMs;
    this.#queue.at(dueMs, () => {
      if (this.#base !== from) return;
      this.#base = block;
      this.#secret.push(block);
      if (this.#level || this.#settings.trick === 'fork') this.#show(Infinity);
      const next = this.#forgedOn(block);
      this.#nextDueMs = Infinity;
      if (next) this.#grow(next, dueMs + next.waitMs);
    });
  }

  #meetRival(rival: RaceBlock): void {
    const lead = this.#base.height - rival.height;
    if (lead >= 0) {
      this.#show(lead === 1 ? Infinity : rival.height);
      this.#level = lead === 0;
      return;
    }
    if (this.#settings.trick === 'fork' && this.#forkPays(rival)) return;
    this.#join(rival);
  }

  #join(rival: RaceBlock): void {
    this.#base = rival;
    this.#secret = [];
    this.#level = false;
    const next = this.#forgedOn(rival);
    this.#nextDueMs = Infinity;
    if (next) this.#grow(next, rival.madeMs + next.waitMs);
  }

  #forkPays(rival: RaceBlock): boolean {
    const { nodes, forged, targetIntervalMs } = this.#settings;
    // More than two thirds finalise the rival's block at once.
    if ((nodes - forged) * 3 > nodes * 2) return false;
    const ancestor = commonAncestor(this.#base, rival);
    const nextHeight = this.#base.height + 1;
    const wait = (height: number): number => this.#at(height).waits[this.#at(height).forgedOrder[0] ?? 0] ?? Infinity;
    const dueInMs = [this.#nextDueMs - this.#queue.nowMs];
    for (let ahead = 1; ahead <= rival.height - this.#base.height + forkAhead; ahead += 1)
      dueInMs.push((dueInMs.at(-1) ?? 0) + wait(nextHeight + ahead));
    return forkPays({
      rivals: rival.height - ancestor.height,
      dueInMs,
      nextHeight: nextHeight - ancestor.height,
      joinedWaitsMs: Array.from({ length: forkAhead }, (_, above) => wait(rival.height + 1 + above)),
      untilMs: this.#backedInMs(rival, ancestor),
      rivalIntervalMs: (targetIntervalMs * nodes) / (nodes - forged),
    });
  }

  /** Until the lowest of the rivals will be endorsed: after that nobody follows the group's branch. */
  #backedInMs(rival: RaceBlock, ancestor: RaceBlock): number {
    const first = above(rival, ancestor).at(-1);
    return first === undefined || first.isBacked ? -Infinity : first.madeMs + this.#endorsedAfterMs - this.#queue.nowMs;
  }

  #show(upToHeight: number): void {
    const shown = this.#secret.filter(({ height }) => height <= upToHeight);
    this.#secret = this.#secret.filter(({ height }) => height > upToHeight);
    this.#level = false;
    for (const block of shown) this.#sendForged(block);
  }

  /** The group's best block on `parent`, by a chip that has made none of this height. */
  #forgedOn(parent: RaceBlock): RaceBlock | undefined {
    const { trick, forged } = this.#settings;
    if (trick === 'honest' || forged === 0) return undefined;
    const height = parent.height + 1;
    const used = this.#forgedUsed.get(height) ?? new Set<number>();
    const member = this.#at(height).forgedOrder.find((node) => !used.has(node));
    const waitMs = member === undefined ? Infinity : (this.#at(height).waits[member] ?? Infinity);
    if (member === undefined || this.#isHopeless(height, waitMs)) return undefined;
    this.#forgedUsed.set(height, used.add(member));
    return this.#created(parent, member, waitMs);
  }

  #sendForged(block: RaceBlock): void {
    const sentMs = this.#settings.trick === 'fast-clock' ? this.#queue.nowMs + block.waitMs / fastClock + this.#settings.certifyMs : 0;
    for (const node of this.#honest) this.#whenTaken(block.parent as RaceBlock, node, () => this.#bring(node, block, sentMs));
  }

  #bring(node: number, block: RaceBlock, sentMs: number): void {
    const dueMs = ((block.parent as RaceBlock).anchors[node] ?? 0) + block.waitMs;
    const arrivesMs = this.#settings.trick === 'late' ? dueMs + this.#toleranceMs : sentMs;
    if (arrivesMs <= this.#queue.nowMs) this.#arrive(node, block);
    else this.#queue.at(arrivesMs, () => this.#arrive(node, block));
  }

  #whenTaken(block: RaceBlock, node: number, go: () => void): void {
    if (block.taken[node] === 1) go();
    else block.waiting.push({ node, go });
  }

  /** Blocks far below the last final one are only leaders in a chain. */
  #forget(height: number): void {
    this.#forgedUsed.delete(height);
    this.#kept.delete(height);
    this.#byHeight.delete(height);
  }
}
