/**
 * A program that abuses the native addon, run in a process of its own so that a crash is a failed test.
 *
 * `fuzz CALLS SEED`: calls of every method with arguments of its types, right, wrong and mutated.
 * `leak CALLS`: quotes, with the resident memory before and after.
 * The TPM is named by CAPSTAN_EXERCISE_TCTI, the folder of the addon by CAPSTAN_EXERCISE_ADDON. Prints one line of JSON.
 */
import { loadAddon, type Addon, type Signature } from '../../../device/addon.ts';
import { isTpmError } from '../../../device/tpm/error.ts';
import type { Esys } from '../../../device/tpm/esys.ts';
import { SizedPublicArea } from '#protocol/tpm/public-area.ts';
import { attestationKeyTemplate, eccEndorsementKeyTemplate, storageKeyTemplate } from '#protocol/tpm/templates.ts';
import { SizedNvPublic } from '#protocol/tpm/nv-public.ts';
import { noAttributes } from './nv-attributes.ts';

type Method = (...call: unknown[]) => Promise<unknown>;
type Random = () => number;

interface Pool {
  readonly handles: Map<'key' | 'nv' | 'session', number[]>;
  readonly structures: Map<string, Uint8Array[]>;
}

const tcti = process.env['CAPSTAN_EXERCISE_TCTI'] ?? '';
const hierarchies = [0x101, 0x107, 0x10a, 0x10b, 0x10c];

async function leak({ open }: Addon, count: number): Promise<{ quotes: number; grownBytes: number }> {
  const esys = await open(tcti);
  const [key] = await esys.CreatePrimary(
    0x101 as never,
    0xff as never,
    0xfff as never,
    0xfff as never,
    Uint8Array.of(0, 4, 0, 0, 0, 0),
    SizedPublicArea.encode(attestationKeyTemplate),
    new Uint8Array(2),
    new Uint8Array(4),
  );
  const quoteMany = async (times: number): Promise<number> => {
    for (let i = 0; i < times; i++) {
      await esys.Quote(
        key,
        0xff as never,
        0xfff as never,
        0xfff as never,
        new Uint8Array(2),
        Uint8Array.of(0, 0x10),
        Uint8Array.of(0, 0, 0, 1, 0, 0x0b, 3, 0, 1, 0),
      );
    }
    globalThis.gc?.();
    return process.memoryUsage.rss();
  };
  const before = await quoteMany(500);
  const after = await quoteMany(count);
  await esys.close();
  return { quotes: count, grownBytes: after - before };
}

async function fuzz({ open, signatures }: Addon, count: number, seed: number): Promise<Record<string, unknown>> {
  const random = randomOf(seed);
  const outcomes = new Map<string, number>();
  const reached = new Set<string>();
  const pool: Pool = {
    handles: new Map([
      ['key', []],
      ['nv', []],
      ['session', []],
    ]),
    structures: startingStructures(),
  };
  let esys = await open(tcti);
  let lost = 0;
  for (let done = 0; done < count;) {
    const batch = Math.min(count - done, random() < 0.1 ? 16 : 1);
    const results = await Promise.all(Array.from({ length: batch }, () => callOnce(esys, choose(random, signatures), pool, random)));
    for (const { name, outcome, contextLost } of results) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome === 'success') reached.add(name);
      if (contextLost) lost += 1;
    }
    if (results.some(({ contextLost }) => contextLost)) for (const handles of pool.handles.values()) handles.length = 0;
    done += batch;
    await tidy(esys, pool);
    await replenish(esys, pool);
    if (random() < 0.005) {
      await esys.close();
      esys = await open(tcti);
      for (const handles of pool.handles.values()) handles.length = 0;
    }
  }
  await esys.close();
  return { calls: count, outcomes: Object.fromEntries(outcomes), methodsThatSucceeded: reached.size, contextsLost: lost };
}

interface Outcome {
  readonly name: string;
  readonly outcome: string;
  readonly contextLost: boolean;
}

async function callOnce(esys: Esys, signature: Signature, pool: Pool, random: Random): Promise<Outcome> {
  const { name } = signature;
  // A hierarchy whose value nobody knows refuses everything that comes after.
  if (name === 'HierarchyChangeAuth' && random() < 0.95) return { name, outcome: 'left out', contextLost: false };
  const methods = esys as unknown as Record<string, Method | undefined>;
  const call = [...signature.inputs].map((mark, index) =>
    argument(mark, signature.types[index] ?? '', pool, random, signature.inputs.slice(0, index).includes('s')),
  );
  if (random() < 0.01) call.pop();
  try {
    const result = await methods[name]?.(...call);
    keep(signature, result, pool);
    return { name, outcome: 'success', contextLost: false };
  } catch (error) {
    if (!isTpmError(error)) throw error;
    return { name, outcome: error.layer, contextLost: error.contextLost };
  }
}

/** What came back feeds later calls. */
function keep(signature: Signature, result: unknown, pool: Pool): void {
  const results = signature.outputs.length > 1 ? (result as unknown[]) : [result];
  [...signature.outputs].forEach((mark, index) => {
    const value = results[index];
    const type = signature.types[signature.inputs.length + index] ?? '';
    if (value instanceof Uint8Array) remember(pool, type, value);
    else if (mark === 'p') pool.handles.get('session')?.push(Number(value));
    else if (mark === 'x') pool.handles.get(signature.name.startsWith('NV_') ? 'nv' : 'key')?.push(Number(value));
  });
}

function remember(pool: Pool, type: string, value: Uint8Array): void {
  const known = pool.structures.get(type) ?? [];
  known.push(value);
  if (known.length > 40) known.shift();
  pool.structures.set(type, known);
}

/** Something to name, so that calls reach the chip. */
async function replenish(esys: Esys, pool: Pool): Promise<void> {
  const [owner, password, none] = [0x101 as never, 0xff as never, 0xfff as never];
  const add = async (kind: 'key' | 'nv' | 'session', make: () => Promise<unknown>): Promise<void> => {
    const handles = pool.handles.get(kind) ?? [];
    if (handles.length > 0) return;
    const made = await make().catch(() => undefined);
    if (typeof made === 'number') handles.push(made);
  };
  const template = SizedPublicArea.encode(storageKeyTemplate);
  await add(
    'key',
    async () =>
      (
        await esys.CreatePrimary(
          owner,
          password,
          none,
          none,
          Uint8Array.of(0, 4, 0, 0, 0, 0),
          template,
          new Uint8Array(2),
          new Uint8Array(4),
        )
      )[0],
  );
  await add('session', async () => esys.StartAuthSession(none, none, none, none, none, null, 1, Uint8Array.of(0, 0x10), 0x0b));
  await add('nv', async () => esys.TR_FromTPMPublic(0x01c00002, none, none, none));
}

/** Three slots in the chip: what is older goes. */
async function tidy(esys: Esys, pool: Pool): Promise<void> {
  for (const [kind, handles] of pool.handles) {
    while (handles.length > (kind === 'nv' ? 8 : 2)) {
      const handle = handles.shift();
      await esys.FlushContext(handle as never).catch(() => esys.TR_Close(handle as never).catch(() => undefined));
    }
  }
}

function argument(mark: string, type: string, pool: Pool, random: Random, laterSession: boolean): unknown {
  if (mark === 's' && random() < 0.8) return laterSession ? 0xfff : choose(random, [0xff, 0xff, 0xfff]);
  if (random() < 0.015)
    return choose(random, [
      undefined,
      null,
      '',
      'x',
      {},
      [],
      NaN,
      -1,
      1.5,
      2 ** 32,
      2n ** 70n,
      -1n,
      true,
      Symbol('x'),
      new Uint16Array(2),
      new DataView(new ArrayBuffer(4)),
      () => 1,
    ]);
  if (mark === '*' || mark === '?') return structure(mark, type, pool, random);
  if (mark === '#') return type === 'uint64' ? choose(random, [0n, 1n, 1000n, 2n ** 64n - 1n]) : number(type, random);
  return handle(mark, pool, random);
}

function handle(mark: string, pool: Pool, random: Random): number {
  if (random() < 0.05)
    return choose(random, [
      0,
      7,
      23,
      31,
      0xff,
      0xfff,
      ...hierarchies,
      0x80000000,
      0x81010001,
      0x02000000,
      0xfffffff0,
      0x10000,
      ...[...pool.handles.values()].flat(),
    ]);
  const of = (kind: 'key' | 'nv' | 'session'): number[] => pool.handles.get(kind) ?? [];
  const password = [0xff, 0xff, 0xff];
  switch (mark) {
    case 's':
      return choose(random, [0xfff, 0xfff, 0xfff, ...password, ...of('session')]);
    case 'e':
      return choose(random, [0xfff, 0xfff, 0xff, ...of('session')]);
    case 'p':
      return choose(random, [...of('session'), 0x10000]);
    case 'r':
      return choose(random, hierarchies);
    case 'c':
      return choose(random, [0, 8, 16, 23]);
    case 'n':
    case 'N':
      return choose(random, [...of('nv'), 0x10000]);
    case 'k':
    case 'K':
      return choose(random, [...of('key'), 0x10000]);
    case 'o':
      return choose(random, [0xfff, 0xfff, ...of('key')]);
    case 'b':
      return choose(random, [0xfff, 0xfff, 0x101, ...of('key')]);
    case 'x':
      return choose(random, [...of('key'), ...of('session'), ...of('nv'), 0x10000]);
    default:
      return choose(random, [...hierarchies, ...of('nv'), ...of('key')]);
  }
}

function number(type: string, random: Random): number {
  const limit = type === 'int8' ? 3 : type === 'uint8' ? 256 : type === 'uint16' ? 65_536 : 2 ** 32;
  return choose(
    random,
    [0, 1, 1, 3, 4, 6, 0x0b, 0x0b, 32, 0x100, 0x146, 0x1500100, 0x01500101, 0x81000100, Math.floor(random() * limit)].map(
      (value) => value % limit,
    ),
  );
}

function structure(mark: string, type: string, pool: Pool, random: Random): Uint8Array | null {
  if (mark === '?' && random() < 0.4) return null;
  const known = pool.structures.get(type);
  const base = known === undefined || random() < 0.05 ? noise(random, Math.floor(random() * 64)) : choose(random, known);
  return random() < 0.75 ? base : mutated(base, random);
}

function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = Math.floor(random() * copy.length);
  switch (Math.floor(random() * 6)) {
    case 0:
      return copy.subarray(0, at);
    case 1:
      return Uint8Array.from([...copy, ...noise(random, 1 + Math.floor(random() * 16))]);
    case 2:
      copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      return copy;
    case 3:
      copy.set([0xff, 0xff].slice(0, Math.min(2, copy.length)));
      return copy;
    case 4:
      return Uint8Array.from([...copy.subarray(0, at), 0xff, 0xff, ...copy.subarray(at + 2)]);
    default:
      return noise(random, choose(random, [0, 1, 2, 3, 64, 1024, 4096, 4097, 9000]));
  }
}

function noise(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

function choose<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** Mulberry32: small, and the same everywhere. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One right structure of each type that goes in; what the chip answers is added. */
function startingStructures(): Map<string, Uint8Array[]> {
  const sized = (...bytes: number[]): Uint8Array => Uint8Array.of(bytes.length >> 8, bytes.length & 0xff, ...bytes);
  const digest = Array.from({ length: 32 }, (_, index) => index);
  const nvIndex = (index: number, typeCounter: boolean) =>
    SizedNvPublic.encode({
      index,
      nameAlgorithm: 'sha256',
      authPolicy: new Uint8Array(),
      dataBytes: typeCounter ? 8 : 64,
      attributes: { ...noAttributes, authRead: true, authWrite: true, ownerRead: true, ownerWrite: true, noDA: true, typeCounter },
    });
  return new Map<string, Uint8Array[]>([
    ['TPM2B_DIGEST', [sized(), sized(...digest)]],
    ['TPM2B_DATA', [sized(), sized(...digest)]],
    ['TPM2B_NAME', [sized(0, 0x0b, ...digest)]],
    ['TPM2B_EVENT', [sized(1, 2, 3)]],
    ['TPM2B_MAX_BUFFER', [sized(), sized(...digest)]],
    ['TPM2B_MAX_NV_BUFFER', [sized(), sized(...digest)]],
    ['TPM2B_PUBLIC_KEY_RSA', [sized(...digest)]],
    ['TPM2B_SENSITIVE_CREATE', [Uint8Array.of(0, 4, 0, 0, 0, 0), sized(0, 0, 0, 3, 1, 2, 3)]],
    [
      'TPM2B_PUBLIC',
      [attestationKeyTemplate, eccEndorsementKeyTemplate, storageKeyTemplate, storageKeyTemplate].map((template) =>
        SizedPublicArea.encode(template),
      ),
    ],
    ['TPM2B_NV_PUBLIC', [nvIndex(0x01500100, false), nvIndex(0x01500101, true)]],
    ['TPML_PCR_SELECTION', [new Uint8Array(4), Uint8Array.of(0, 0, 0, 1, 0, 0x0b, 3, 0, 1, 1)]],
    ['TPML_DIGEST_VALUES', [Uint8Array.of(0, 0, 0, 1, 0, 0x0b, ...digest)]],
    ['TPMT_SYM_DEF', [Uint8Array.of(0, 0x10), Uint8Array.of(0, 6, 0, 128, 0, 0x43)]],
    ['TPMT_SIG_SCHEME', [Uint8Array.of(0, 0x10), Uint8Array.of(0, 0x18, 0, 0x0b)]],
    ['TPMT_RSA_DECRYPT', [Uint8Array.of(0, 0x10), Uint8Array.of(0, 0x15)]],
    ['TPMT_TK_HASHCHECK', [Uint8Array.of(0x80, 0x24, 0x40, 0, 0, 7, 0, 0)]],
    ['TPM2B_ECC_POINT', [sized(0, 1, 1, 0, 1, 2)]],
  ]);
}

const [mode = '', callsText = '0', seedText = '1'] = process.argv.slice(2);
const addon = loadAddon(process.env['CAPSTAN_EXERCISE_ADDON']);
const calls = Number(callsText);
process.stdout.write(`${JSON.stringify(mode === 'leak' ? await leak(addon, calls) : await fuzz(addon, calls, Number(seedText)))}\n`);
