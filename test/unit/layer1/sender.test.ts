/** The pure machine of a sender: what is stored before it is said, and that nothing is done twice, under any order of events. Specification §20.8. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bid, priceOf, raise } from '../../../device/layer1/fees.ts';
import { feesOf, type Sending } from '../../../device/layer1/intention.ts';
import { LAYER1_LIMITS } from '../../../device/layer1/limits.ts';
import {
  startSender,
  stepSender,
  type ChainView,
  type SenderEffect,
  type SenderEvent,
  type SenderState,
} from '../../../device/layer1/sender.ts';

const terms = { feeCap: 1_000n, dayBudget: 10n ** 12n };
const market = fc.record({ baseFee: fc.option(fc.bigInt(0n, 900n), { nil: undefined }), offered: fc.bigInt(0n, 300n) });

test('a bid is never above the cap, and a raised one is at least an eighth higher in each part (§20.8)', () => {
  fc.assert(
    fc.property(market, market, (first, second) => {
      const fees = bid(first, terms.feeCap);
      if (fees === undefined) return;
      assert.ok(priceOf(fees) <= terms.feeCap);
      const raised = raise(fees, second, terms.feeCap);
      if (raised === undefined) return;
      assert.ok(priceOf(raised) <= terms.feeCap && priceOf(raised) * 8n >= priceOf(fees) * 9n);
      if (raised.market === 'base-fee' && fees.market === 'base-fee')
        assert.ok(raised.maxPriorityFeePerGas * 8n >= fees.maxPriorityFeePerGas * 9n && raised.maxPriorityFeePerGas <= raised.maxFeePerGas);
    }),
  );
});

/** A chain that takes and undoes blocks as it is told, and a process that dies between any two effects. */
class World {
  readonly disk = new Map<string, Sending>();
  readonly said = new Set<string>();
  /** What stands in blocks: the hash of the transaction of each nonce. */
  blocks: string[] = [];
  final = 0;
  nowMs = 0;
  /** Of each transaction that is in a block. */
  cost = 1n;
  /** Whether they fail there. */
  fails = false;
  state: SenderState = startSender(terms, []);
  /** By hash: the intention and nonce. */
  readonly signed = new Map<string, { readonly name: string; readonly nonce: number }>();

  intend(name: string): void {
    this.handle({ type: 'intended', intention: { name, to: new Uint8Array(20), data: new Uint8Array(), value: '1' }, nowMs: this.nowMs });
  }

  look(baseFee: bigint): void {
    const found = { hash: new Uint8Array(32), cost: this.cost, ...(this.fails && { failure: 'it failed' }) };
    const included = new Map(this.blocks.map((hash, index) => [hash, { block: index + 1, ...found }]));
    const nonces = { nonce: this.blocks.length, finalNonce: this.final };
    const view: ChainView = {
      head: this.blocks.length,
      final: this.final,
      ...nonces,
      balance: 10n ** 18n,
      market: { baseFee, offered: 1n },
      included,
    };
    this.handle({ type: 'seen', view, nowMs: this.nowMs });
  }

  /** The newest attempt that was said for the next nonce comes into a block. */
  mine(): void {
    const next = [...this.said].filter((hash) => this.signed.get(hash)?.nonce === this.blocks.length).at(-1);
    if (next !== undefined) this.blocks.push(next);
  }

  handle(event: SenderEvent, dieAfter = Infinity): void {
    this.perform(stepSender(this.state, event), { left: dieAfter });
  }

  restart(): void {
    this.state = startSender(terms, [...this.disk.values()]);
  }

  perform(effects: readonly SenderEffect[], life: { left: number }): void {
    for (const effect of effects) {
      if ((life.left -= 1) < 0) return;
      if (effect.effect === 'store') this.disk.set(effect.sending.intention.name, effect.sending);
      if (effect.effect === 'say') this.say(effect.raw);
      if (effect.effect === 'try')
        this.perform(
          stepSender(this.state, { type: 'tried', name: effect.name, outcome: { status: 'passes', gas: 100 }, nowMs: this.nowMs }),
          life,
        );
      if (effect.effect === 'sign') {
        const { nonce, fees } = effect.signing;
        const hash = new TextEncoder().encode(`${effect.name} ${nonce} ${priceOf(fees)}`.padEnd(32).slice(0, 32));
        this.signed.set(hash.toHex(), { name: effect.name, nonce });
        const signed = { hash, raw: hash };
        this.perform(
          stepSender(this.state, { type: 'signed', name: effect.name, signing: effect.signing, signed, nowMs: this.nowMs }),
          life,
        );
      }
    }
  }

  say(raw: Uint8Array): void {
    const stored = [...this.disk.values()].some(({ attempts }) => attempts.some(({ hash }) => hash.toHex() === raw.toHex()));
    assert.ok(stored, 'said before it was stored');
    this.said.add(raw.toHex());
  }
}

type Happening = readonly ['intend' | 'look' | 'dear' | 'mine' | 'finalise' | 'reorganise' | 'die' | 'away', number];
const happening: fc.Arbitrary<Happening> = fc.tuple(
  fc.constantFrom('intend' as const, 'look', 'look', 'look', 'dear', 'mine', 'mine', 'finalise', 'reorganise', 'die', 'away'),
  fc.nat(5),
);

test('under any order of blocks, reorganisations, spikes and deaths each intention is in the chain once at most, and in the end once (§20.8)', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
      const world = new World();
      const intended = new Set<string>();
      for (const [what, number] of happenings) {
        world.nowMs += LAYER1_LIMITS.bumpAfterMs / 2;
        switch (what) {
          case 'intend':
            intended.add(`i${number}`);
            world.intend(`i${number}`);
            break;
          case 'look':
            world.look(10n);
            break;
          case 'dear':
            world.look(5_000n);
            break;
          case 'mine':
            world.mine();
            break;
          case 'finalise':
            world.final = Math.max(world.final, world.blocks.length - number);
            break;
          case 'reorganise':
            world.blocks = world.blocks.slice(0, Math.max(world.final, world.blocks.length - number));
            break;
          case 'away':
            world.handle({ type: 'not-seen', why: 'chain-away', nowMs: world.nowMs });
            break;
          case 'die': {
            const included = new Map(world.blocks.map((hash, index) => [hash, { block: index + 1, hash: new Uint8Array(32), cost: 1n }]));
            const [head, final] = [world.blocks.length, world.final];
            const view = {
              head,
              final,
              nonce: head,
              finalNonce: final,
              balance: 10n ** 18n,
              market: { baseFee: 10n, offered: 1n },
              included,
            };
            world.handle({ type: 'seen', view, nowMs: world.nowMs }, number);
            world.restart();
          }
        }
        requireOnce(world);
      }
      for (const name of intended) world.intend(name);
      for (let rounds = 0; rounds < 40; rounds++) {
        world.nowMs += LAYER1_LIMITS.bumpAfterMs;
        world.look(10n);
        world.mine();
        world.final = world.blocks.length;
      }
      world.look(10n);
      requireOnce(world);
      assert.deepEqual(new Set(world.blocks.map((hash) => world.signed.get(hash)?.name)), intended);
      for (const name of intended) assert.equal(world.state.sendings.get(name)?.standing.state, 'final');
    }),
    { numRuns: 1_000 },
  );
});

function requireOnce(world: World): void {
  const names = world.blocks.map((hash) => world.signed.get(hash)?.name);
  assert.equal(new Set(names).size, names.length, `done twice: ${names.join()}`);
}

test('what is signed in a day costs no more than its budget, and the next day goes on (§20.8)', () => {
  const world = new World();
  const dayBudget = 10_000n;
  world.cost = 2_000n;
  world.state = startSender({ feeCap: 1_000n, dayBudget }, []);
  for (let number = 0; number < 9; number++) world.intend(`i${number}`);
  const spentOn: bigint[] = [];
  for (let day = 0; day < 4; day++) {
    const before = world.blocks.length;
    for (let rounds = 0; rounds < 30; rounds++) {
      world.nowMs += 60_000;
      world.look(10n);
      const underWay = [...world.disk.values()].filter(({ standing }) => standing.state === 'sent' || standing.state === 'bumped');
      const open = underWay.flatMap(({ attempts, gas }) => attempts.map(({ fees }) => BigInt(gas) * priceOf(feesOf(fees))));
      const dearest = open.reduce((most, cost) => (cost > most ? cost : most), 0n);
      assert.ok(BigInt(world.blocks.length - before) * (world.cost + 1n) + dearest <= dayBudget);
      if (rounds % 3 === 2) world.mine();
    }
    spentOn.push(BigInt(world.blocks.length - before) * world.cost);
    world.nowMs = (day + 1) * 86_400_000;
  }
  assert.deepEqual(spentOn, [8_000n, 8_000n, 2_000n, 0n]);
});

test('what failed tries of one intention have cost counts for the budget of their day (§20.8)', () => {
  const world = new World();
  [world.cost, world.fails] = [2_000n, true];
  world.state = startSender({ feeCap: 1_000n, dayBudget: 10_000n }, []);
  const tryForADay = (): number => {
    const before = world.blocks.length;
    for (let rounds = 0; rounds < 30; rounds++) {
      world.intend('i0');
      world.look(10n);
      world.mine();
      world.final = world.blocks.length;
    }
    return world.blocks.length - before;
  };
  assert.equal(tryForADay(), 4);
  world.nowMs += 86_400_000;
  assert.equal(tryForADay(), 4);
});
