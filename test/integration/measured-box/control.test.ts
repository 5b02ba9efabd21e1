/**
 * What control makes of a box with a TPM while it rests: its level, as it is offered, and the fence. A real control, a real ear, the desk
 * that measures and a software TPM; the chain and the broker between them are left out. Specification §6.5, §15.10, §17.1-17.2.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BoxEvidenceMessage, Hello } from '#protocol/box-messages.ts';
import type { OfferedBox } from '#protocol/chain/transaction.ts';
import { encodeBulk } from '#protocol/codec.ts';
import { domainDigest } from '#protocol/digest.ts';
import { freeze, newReferenceValues } from '#protocol/measured-box/learning.ts';
import { signMessage } from '#protocol/signed.ts';
import { softwareDigest } from '#protocol/software-state.ts';
import { Control } from '../../../device/control/host.ts';
import type { Challenged } from '../../../device/control/ports.ts';
import { BoxEar, type EarParts } from '../../../device/hpc/box-ear.ts';
import { endorsementDigest } from '../../../device/hpc/box-standing.ts';
import { Boxes } from '../../../device/hpc/boxes.ts';
import { offeringOf } from '../../../device/hpc/offers.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';
import { crypto, steady } from '../../unit/measured-box/boots.ts';
import { software } from '../../unit/protocol/workshop.ts';
import { network, World } from './world.ts';

const DEVICE = 'alpha';

interface Asked {
  readonly run: string;
  readonly challenged: Challenged;
}

/** The device's room around the box of a `World`. */
class Room {
  readonly world: World;
  readonly control: Control;
  readonly #boxes: Boxes;
  readonly #ear: BoxEar;
  readonly #challenges: Asked[] = [];
  /** Runs of its own, and of jobs: none begins here. */
  readonly ended: string[] = [];

  constructor(world: World) {
    const { store, now } = world;
    const log = (event: string, fields = {}): void => void world.lines.push(`${event} ${JSON.stringify(fields)}`);
    const random = (bytes: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(bytes));
    this.world = world;
    this.#boxes = new Boxes({ store, now, log });
    const publisher = { publish: () => undefined, publishTo: () => undefined };
    this.control = new Control({
      ...{ device: DEVICE, rules: {}, store, publisher, now, random, log },
      open: () => undefined,
      onFenced: () => Promise.resolve(),
    });
    this.control.start({
      challenge: (_box, run, challenged) => void this.#challenges.push({ run, challenged }),
      endRuns: (_box, which, reason) => void this.ended.push(`${which} ${reason}`),
      ...{ dispute: () => undefined, fitnessChanged: () => undefined, powerNow: () => undefined },
    });
    const listener = { network, device: DEVICE, crypto };
    const parts = { boxes: this.#boxes, control: this.control, measuring: world.desk, listener, now, random, log };
    this.#ear = new BoxEar({ ...parts, jobOf: () => undefined, introduced: () => undefined } as unknown as EarParts);
    world.askNow = (box) => this.control.askNow(box);
    this.#boxes.setPaired([world.box]);
    this.control.boxesPaired([world.box]);
  }

  hello(): void {
    const tpm = this.world.machine.tpm?.keys;
    const hello = { software, processors: 1, memoryBytes: 1, runs: [], ...(tpm ? { tpm } : {}) };
    this.#ear.boxSaid('box', 'hello', encodeBulk(Hello, hello));
  }

  /** Time goes on until the box is asked, and it answers. @param quoted false: by a machine without its TPM */
  async asked(quoted = true): Promise<string> {
    const { run, challenged } = this.#nextChallenge();
    const beacon = domainDigest('beacon-value', network, challenged.nonce);
    const { box, machine, desk, signer } = this.world;
    const activation = desk.activationFor(box.name);
    const quoting = {
      network,
      beacon,
      run,
      boxKey: box.signingKey,
      software: softwareDigest(software),
      nonce: challenged.nonce,
      activation,
    };
    const tpm = quoted ? await machine.tpm?.answer(quoting) : undefined;
    const evidence = { network, device: DEVICE, box: box.name, run, beacon, software, madeAtMs: this.world.now(), ...(tpm ? { tpm } : {}) };
    this.#ear.boxSaid('box', 'evidence', signMessage(BoxEvidenceMessage, evidence, signer.sign));
    for (let waited = 0; waited < 200 && this.control.challengeOf('box', run); waited += 1)
      await new Promise((resolve) => setTimeout(resolve, 25));
    return this.state;
  }

  #nextChallenge(): Asked {
    const before = this.#challenges.length;
    for (let seconds = 0; seconds < 400 && this.#challenges.length === before; seconds += 1) this.passes(1_000);
    return this.#challenges.at(before) ?? assert.fail(`nobody asks a box that is ${this.state}`);
  }

  passes(ms: number): void {
    this.world.aheadMs += ms;
    this.hello();
    this.world.desk.timePassed();
    this.control.timePassed();
  }

  get state(): string {
    return this.control.boxes.get('box')?.standing.state ?? 'none';
  }

  get why(): string {
    return this.control.boxes.get('box')?.standing.detail ?? '';
  }

  /** As the chain is to have it. */
  get offers(): OfferedBox['trust'][] {
    const offering = (box: string): ReturnType<typeof offeringOf> => offeringOf(this.control.fitnessOf(box), false);
    return this.#boxes.offers([], { offering, level: (box) => this.world.desk.levelOf(box) }).map(({ trust }) => trust);
  }
}

describe('a box with a TPM, at rest', { timeout: 300_000 }, () => {
  let world: World;
  let room: Room;
  before(async () => {
    world = await World.open(steady.logs);
    room = new Room(world);
  });
  after(async () => {
    await room.control.close();
    await world.close();
  });

  /** A machine in order again, by the operator's word. */
  async function again(): Promise<void> {
    await world.machine.boot(steady.logs);
    room.control.boxes.get('box')?.release('the operator');
    assert.equal(await room.asked(), 'ready', room.why);
  }

  test('comes to work by its quote, is activated by it, and is offered as self-reported without reference values (§17.1)', async () => {
    assert.equal(await room.asked(), 'ready', room.why);
    assert.match(world.lines.join('\n'), /^boxActivated /m);
    assert.deepEqual(room.offers, ['self-reported']);
  });

  test('is offered as software-tpm, never more, once its quote fits frozen reference values (§15.10)', async () => {
    const keys = world.machine.tpm?.keys ?? assert.fail();
    world.references.write('box', newReferenceValues(endorsementDigest(keys), 'listed'));
    assert.equal(await room.asked(), 'ready', room.why);
    assert.deepEqual(room.offers, ['self-reported'], 'while they are being learned');
    world.references.write('box', freeze(world.references.read('box') ?? assert.fail()));
    assert.equal(await room.asked(), 'ready', room.why);
    assert.deepEqual(room.offers, ['software-tpm']);
  });

  test('is measured within seconds of a change of its reference values, and not again for what it taught them itself (§6.5)', async () => {
    const known = world.references.read('box') ?? assert.fail();
    const atMs = (): number => world.aheadMs;
    const changedAtMs = atMs();
    world.references.write('box', { ...known, stage: 'learning' });
    assert.equal(await room.asked(), 'ready', room.why);
    assert.ok(atMs() - changedAtMs <= 3_000, `${atMs() - changedAtMs} ms after it`);
    const learnedAtMs = atMs();
    assert.equal(await room.asked(), 'ready', room.why);
    assert.ok(atMs() - learnedAtMs >= 59_000, 'at its next moment');
    world.references.write('box', freeze(known));
    assert.equal(await room.asked(), 'ready', room.why);
    assert.deepEqual(room.offers, ['software-tpm']);
  });

  test('falls back to self-reported when its last measurement is out of date, and comes back by the next (§15.10)', async () => {
    world.aheadMs += DEVICE_LIMITS.boxLevelMs + 1_000;
    room.hello();
    assert.deepEqual(room.offers, ['self-reported']);
    assert.equal(await room.asked(), 'ready', room.why);
    assert.deepEqual(room.offers, ['software-tpm']);
  });

  test('under another signing key its level is nobody’s (§15.10)', () => {
    assert.equal(world.desk.levelOf(world.box), 'software-tpm');
    assert.equal(world.desk.levelOf({ ...world.box, signingKey: new Uint8Array(32) }), 'self-reported');
  });

  test('whose PCR was extended is fenced before any job, and no word alone brings it back (§17.2)', async () => {
    await world.machine.extend([14, crypto.sha256(Uint8Array.of(1))]);
    assert.equal(await room.asked(), 'fenced');
    assert.match(room.why, /PCR 14 was 0{64} and is/);
    assert.deepEqual(room.offers, []);
    assert.equal(world.desk.levelOf(world.box), 'self-reported');
    room.control.boxes.get('box')?.release('the operator');
    assert.equal(await room.asked(), 'fenced', 'it shows the same again');
    await again();
    assert.deepEqual(room.offers, ['software-tpm']);
  });

  test('whose log lacks what was measured at its start is fenced (§17.2)', async () => {
    await world.machine.boot(steady.logs);
    await world.machine.extend([9, crypto.sha256(Uint8Array.of(1))]);
    assert.equal(await room.asked(), 'fenced');
    assert.match(room.why, /PCR 9 is .* the boot log makes it/);
    await again();
  });

  test('whose hello shows no TPM any more is asked at once, and fenced by its answer (§17.1)', async () => {
    const { tpm } = world.machine;
    world.machine.tpm = undefined;
    room.hello();
    assert.equal(room.state, 'attesting');
    assert.equal(await room.asked(), 'fenced');
    assert.match(room.why, /shows no quote/);
    world.machine.tpm = tpm;
    await again();
  });

  test('that answers without its TPM is fenced: it was activated (§6.5)', async () => {
    assert.equal(await room.asked(false), 'fenced');
    assert.match(room.why, /shows no quote, and its TPM was activated before/);
    assert.deepEqual(room.offers, []);
    await again();
    assert.deepEqual(
      room.ended.filter((words) => !words.startsWith('all box-fenced')),
      [],
    );
  });
});
