/** The pure machine of a sender: what is stored before it is said, and that nothing is done twice, under any order of events. Specification §20.8. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeStrict } from '#protocol/codec.ts';
import { readReceipt } from '../../../device/layer1/answers.ts';
import { bid, priceOf, raise } from '../../../device/layer1/fees.ts';
import { feesOf, Sending } from '../../../device/layer1/intention.ts';
import { LAYER1_LIMITS } from '../../../device/layer1/limits.ts';
import {
  spentOn,
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
  /** What the key has, in wei. */
  balance = 10n ** 18n;
  /** Whether they fail there. */
  fails = false;
  state: SenderState = startSender(terms, []);
  /** By hash: the intention and nonce. */
  readonly signed = new Map<string, { readonly name: string; readonly nonce: number }>();

  intend(name: string, value = '1'): void {
    this.handle({ type: 'intended', intention: { name, to: new Uint8Array(20), data: new Uint8Array(), value }, nowMs: this.nowMs });
  }

  standing(name: string): string {
    const { state, ...of } = this.state.sendings.get(name)?.standing ?? { state: 'unknown' };
    return 'why' in of ? `${state}: ${of.why}` : state;
  }

  look(baseFee: bigint): void {
    const found = { hash: new Uint8Array(32), cost: this.cost, ...(this.fails && { failure: 'it failed' }) };
    const included = new Map(this.blocks.map((hash, index) => [hash, { block: index + 1, ...found }]));
    const nonces = { nonce: this.blocks.length, finalNonce: this.final };
    const view: ChainView = {
      head: this.blocks.length,
      final: this.final,
      ...nonces,
      balance: this.balance,
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

test('a challenge goes before what is fetched, and that before a post, whichever was asked for first (§20.8)', () => {
  const world = new World();
  for (const name of ['post/8', 'withdraw/7', 'challenge/8/aa']) world.intend(name);
  for (let rounds = 0; rounds < 3; rounds++) {
    world.look(10n);
    world.mine();
  }
  const order = world.blocks.map((hash) => world.signed.get(hash)?.name);
  assert.deepEqual(order, ['challenge/8/aa', 'withdraw/7', 'post/8']);
});

test('what lacks funds is passed over: a post without its bond holds back neither a challenge nor what would pay for it (§20.8)', () => {
  const world = new World();
  world.balance = 50_000n;
  world.intend('post/8', '100000');
  for (const name of ['post/9', 'withdraw/7', 'challenge/8/aa']) world.intend(name, '0');
  for (let rounds = 0; rounds < 4; rounds++) {
    world.look(10n);
    world.mine();
  }
  const order = world.blocks.map((hash) => world.signed.get(hash)?.name);
  assert.deepEqual([order, world.standing('post/8')], [['challenge/8/aa', 'withdraw/7', 'post/9'], 'waiting: funds']);
  world.balance = 10n ** 18n;
  world.look(10n);
  assert.equal(world.standing('post/8'), 'sent');
});

test('what waits for the same reason as before is not written down again at each look (§20.8)', () => {
  const world = new World();
  world.balance = 1n;
  for (const name of ['post/8', 'post/9', 'withdraw/7']) world.intend(name);
  world.look(10n);
  const before = new Map(world.disk);
  world.look(10n);
  assert.deepEqual(
    ['post/8', 'post/9', 'withdraw/7'].map((name) => world.standing(name)),
    Array(3).fill('waiting: funds'),
  );
  for (const [name, sending] of before) assert.equal(world.disk.get(name), sending);
});

test('posts leave a quarter of a day to challenges (§20.8)', () => {
  const world = new World();
  world.cost = 2_000n;
  world.state = startSender({ feeCap: 1_000n, dayBudget: 12_000n }, []);
  const goOn = (): void => {
    world.look(10n);
    world.mine();
    world.look(10n);
  };
  for (let epoch = 1; epoch <= 5; epoch++) world.intend(`post/${epoch}`);
  for (let rounds = 0; rounds < 9; rounds++) goOn();
  assert.deepEqual([world.blocks.length, world.standing('post/5')], [4, 'waiting: budget']);
  world.intend('challenge/3/aa', '0');
  goOn();
  assert.equal(world.standing('challenge/3/aa'), 'included');
});

test('a post that is under way has its fee raised out of what is left to challenges, where one waits behind it (§20.8)', () => {
  for (const isWaitedFor of [false, true]) {
    const world = new World();
    world.state = startSender({ feeCap: 1_000n, dayBudget: 3_600n }, []);
    world.intend('post/1');
    world.look(10n);
    if (isWaitedFor) world.intend('challenge/1/aa', '0');
    world.nowMs += LAYER1_LIMITS.bumpAfterMs;
    world.look(10n);
    assert.equal(world.standing('post/1'), isWaitedFor ? 'bumped' : 'sent');
  }
});

test('what is displaced counts for its day at its most: that it is in no block is the word of endpoints alone (§20.8)', () => {
  const world = new World();
  const dayBudget = 20_000n;
  world.state = startSender({ feeCap: 1_000n, dayBudget }, []);
  for (let rounds = 0; rounds < 50; rounds++) {
    world.intend('i0', '0');
    world.look(10n);
    world.blocks.push(`of another ${rounds}`);
    world.final = world.blocks.length;
    world.look(10n);
  }
  const spent = spentOn([...world.state.sendings.values()], world.nowMs);
  assert.equal(spent, BigInt(world.signed.size) * 2_625n);
  assert.ok(spent <= dayBudget && world.signed.size > 1, `${world.signed.size} signed for ${spent} wei`);
});

test('a receipt of more gas or a higher price than there can be is not understood, and what is understood can be stored (§20.8)', () => {
  const most = { gas: 2n ** 53n - 1n, price: LAYER1_LIMITS.priceMax };
  const receipt = ({ gas, price }: typeof most) =>
    readReceipt({
      ...{ blockNumber: '0x1', blockHash: `0x${'11'.repeat(32)}`, status: '0x1' },
      ...{ gasUsed: `0x${gas.toString(16)}`, effectiveGasPrice: `0x${price.toString(16)}` },
    });
  assert.equal(receipt({ ...most, gas: most.gas + 1n }), undefined);
  assert.equal(receipt({ ...most, price: most.price + 1n }), undefined);
  const read = receipt(most);
  assert.ok(read !== undefined && read !== 'none');
  const world = new World();
  world.cost = read.cost;
  world.intend('i0');
  world.look(10n);
  world.mine();
  world.look(10n);
  for (const sending of world.disk.values()) encodeStrict(Sending, sending);
  assert.equal(world.standing('i0'), 'included');
});
