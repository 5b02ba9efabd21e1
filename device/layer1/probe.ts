/**
 * What a chain can, judged by its answers: questions that cost nothing, and a verdict with words on each. Nothing is believed by the name of a
 * chain. Pure. Specification §20.8; EIP-7951 and RIP-7212 (P-256), EIP-198 (modexp), EIP-4399 (PREVRANDAO).
 */
import { bytesIn, readBlock, type Block } from './answers.ts';
import type { Finality } from './chain-view.ts';

/** What the endpoints agree on, of one question; `nothing` where the chain refuses it, `unknown` where they don't agree or are away. */
export type ProbeAnswer =
  | { readonly status: 'said'; readonly value: unknown }
  | { readonly status: 'nothing' }
  | { readonly status: 'unknown'; readonly why: string };

export interface ProbeQuestion {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** Instructions that a hardfork brought, by code that makes a contract of what the instruction leaves. */
const instructions = {
  push0: '5f', // shanghai, EIP-3855
  tload: '60005c', // cancun, EIP-1153
  mcopy: '6000600060005e6000', // cancun, EIP-5656
  blobbasefee: '4a', // cancun, EIP-7516
} as const;

const returnWord = '60005260206000f3';

/** RFC 6979 A.2.5, P-256, SHA-256, "sample": digest, r, s, x, y. */
const goodSignature = [
  'af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf',
  'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716',
  'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6',
  '7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299',
].join('');
const otherDigest = `00${goodSignature.slice(2)}`;
const one = '01'.padStart(64, '0');

/** By name; blocks are asked for beside them. */
export const PROBE_QUESTIONS = {
  push0: code(`${instructions.push0}${returnWord}`),
  tload: code(`${instructions.tload}${returnWord}`),
  mcopy: code(`${instructions.mcopy}${returnWord}`),
  blobbasefee: code(`${instructions.blobbasefee}${returnWord}`),
  sha256: call(2, ''),
  modexp: call(5, `${one}${one}${one}030507`), // 3 ** 5 mod 7
  p256Good: call(0x100, goodSignature),
  p256Bad: call(0x100, otherDigest),
  finalized: { method: 'eth_getBlockByNumber', params: ['finalized', false] },
} as const satisfies Readonly<Record<string, ProbeQuestion>>;
export type ProbeName = keyof typeof PROBE_QUESTIONS;

export interface ProbeAnswers {
  readonly chainId: number;
  readonly answers: Readonly<Record<ProbeName, ProbeAnswer>>;
  /** The newest blocks, the newest first. */
  readonly blocks: readonly Block[];
}

type Presence = 'yes' | 'no' | 'unknown';

export interface ChainAbilities {
  readonly chainId: number;
  /** What contracts here need. */
  readonly push0: Presence;
  readonly sha256: Presence;
  readonly modexp: Presence;
  /** `misjudges`: something stands at 0x100 that takes bad signatures. */
  readonly p256: Presence | 'misjudges';
  readonly tload: Presence;
  readonly mcopy: Presence;
  readonly blobs: Presence;
  /** Two blocks with one value: whoever draws by it draws nothing. */
  readonly prevrandao: 'changes' | 'constant' | 'unknown';
  readonly fees: 'base-fee' | 'legacy' | 'unknown';
  readonly finality: Finality;
  /** Why the contracts can't be there; none if they can. */
  readonly lacking: readonly string[];
}

export function judgeChain({ chainId, answers, blocks }: ProbeAnswers): ChainAbilities {
  const [newest] = blocks;
  const known = {
    push0: presence(answers.push0, (data) => data.length === 32),
    sha256: presence(answers.sha256, (data) => data.toHex() === 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'),
    modexp: presence(answers.modexp, (data) => data.toHex() === '05'),
    p256: signaturesJudged(answers.p256Good, answers.p256Bad),
  };
  return {
    chainId,
    ...known,
    tload: presence(answers.tload, (data) => data.length === 32),
    mcopy: presence(answers.mcopy, (data) => data.length === 32),
    blobs: presence(answers.blobbasefee, (data) => data.length === 32),
    prevrandao: prevrandaoOf(blocks),
    fees: newest === undefined ? 'unknown' : newest.baseFee === undefined ? 'legacy' : 'base-fee',
    finality: finalityOf(answers.finalized),
    lacking: lackingIn(known),
  };
}

export function finalityOf(answer: ProbeAnswer): Finality {
  return answer.status === 'said' && readBlock(answer.value) ? 'tag' : 'depth';
}

/** Rows for people: what, how it is, what follows. */
export function describeChain(abilities: ChainAbilities): (readonly [string, string, string])[] {
  const { p256, prevrandao, fees, finality, lacking } = abilities;
  const signatures = {
    yes: 'signatures of TPMs cost 7 k gas',
    no: 'verified in Solidity, 240 k gas',
    misjudges: 'not to be used',
    unknown: '',
  }[p256];
  return [
    ['chain id', String(abilities.chainId), 'signed in every transaction'],
    ['PUSH0 (shanghai)', abilities.push0, 'the contracts need it'],
    ['SHA-256, 0x02', abilities.sha256, 'the contracts need it'],
    ['modexp, 0x05', abilities.modexp, 'VRF proofs are verified by it'],
    ['P-256, 0x100', p256, signatures],
    ['TLOAD, MCOPY (cancun)', `${abilities.tload}, ${abilities.mcopy}`, 'not used'],
    ['blobs', abilities.blobs, 'not used: data are calldata'],
    ['PREVRANDAO', prevrandao, 'not used: seeds are from the VRFs of TPMs'],
    ['fees', fees, { 'base-fee': 'EIP-1559 transactions', legacy: 'legacy transactions', unknown: '' }[fees]],
    ['finality', finality, finality === 'tag' ? 'the chain names the final block' : 'by depth, for the chain names none'],
    ['usable', lacking.length === 0 ? 'yes' : 'no', lacking.join('; ')],
  ];
}

function lackingIn({ push0, sha256, modexp, p256 }: Pick<ChainAbilities, 'push0' | 'sha256' | 'modexp' | 'p256'>): string[] {
  const needed = Object.entries({ 'PUSH0 (shanghai)': push0, 'SHA-256 at 0x02': sha256, 'modexp at 0x05': modexp });
  const missing = needed.flatMap(([name, present]) => (present === 'yes' ? [] : [`${name}: ${present}`]));
  return p256 === 'misjudges' ? [...missing, 'what stands at 0x100 takes bad signatures'] : missing;
}

function presence(answer: ProbeAnswer, isRight: (data: Uint8Array) => boolean): Presence {
  if (answer.status === 'unknown') return 'unknown';
  const data = answer.status === 'said' ? bytesIn(answer.value) : undefined;
  return data && isRight(data) ? 'yes' : 'no';
}

function signaturesJudged(good: ProbeAnswer, bad: ProbeAnswer): Presence | 'misjudges' {
  const isOne = (data: Uint8Array): boolean => data.toHex() === one;
  if (presence(bad, isOne) === 'yes') return 'misjudges';
  return presence(bad, isOne) === 'unknown' ? 'unknown' : presence(good, isOne);
}

function prevrandaoOf(blocks: readonly Block[]): ChainAbilities['prevrandao'] {
  const values = blocks.flatMap(({ prevrandao }) => (prevrandao ? [prevrandao.toHex()] : []));
  if (values.length !== blocks.length || values.length < 2) return 'unknown';
  return new Set(values).size === values.length ? 'changes' : 'constant';
}

function code(hex: string): ProbeQuestion {
  return { method: 'eth_call', params: [{ data: `0x${hex}` }, 'latest'] };
}

function call(precompile: number, hex: string): ProbeQuestion {
  return { method: 'eth_call', params: [{ to: `0x${precompile.toString(16).padStart(40, '0')}`, data: `0x${hex}` }, 'latest'] };
}
