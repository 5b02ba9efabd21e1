/**
 * Checks of a TPM quote over 11 registers by the code of a device, per second of one core, beside `openssl speed` and beside
 * a bare `crypto.verify` of Node with the same signature. Scorecard: quote checks.
 */
import { createHash, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { Attest } from '#protocol/tpm/attest.ts';
import type { AttestationKey } from '#protocol/tpm/attestation-key.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { judgeQuote, type PcrPolicy, type Quote } from '#protocol/tpm/quote.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import type { Benchmark, Row } from './benchmark.ts';
import { opensslVerificationsPerSecond } from './openssl.ts';
import { inTurns, perCpuSecond } from './rounds.ts';

export const quoteCheck: Benchmark = {
  name: 'quote',
  summary: 'full check of a P-256 quote over 11 PCRs, per core, beside openssl speed and crypto.verify',
  metric: 'quote checks',
  run: async ({ rounds, quick }) => {
    const checks = checksOfQuotes();
    const durationMs = quick ? 200 : 1_000;
    perCpuSecond(checks.judge, durationMs / 2);
    return [await besideOpenssl(checks, rounds, durationMs), await besideNode(checks, rounds, durationMs / 2)];
  },
};

const policy: PcrPolicy = { bank: 'sha256', indices: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14] };
/** As many as members of a network would send one after another; each its own signature. */
const quoteCount = 64;

interface Checks {
  readonly judge: (index: number) => void;
  readonly bare: (index: number) => void;
}

async function besideOpenssl({ judge }: Checks, rounds: number, durationMs: number): Promise<Row> {
  const { ours, floor } = await inTurns(
    rounds,
    () => perCpuSecond(judge, durationMs),
    () => opensslVerificationsPerSecond('ecdsap256', Math.ceil(durationMs / 1_000)),
  );
  return {
    status: 'measured',
    metric: 'quote checks',
    unit: '/s',
    better: 'higher',
    ours,
    floor: { name: 'openssl speed ecdsap256', samples: floor },
    target: { text: '≥ 13,000/s, ≥ 75 %', isMet: (medians) => medians.ours >= 13_000 && medians.ratio >= 0.75 },
    note: 'per CPU-second, one core: TPMS_ATTEST, TPMT_SIGNATURE, P-256, signer, qualifying data, selection, digest of 11 PCRs',
  };
}

async function besideNode({ judge, bare }: Checks, rounds: number, durationMs: number): Promise<Row> {
  const { ours, floor } = await inTurns(
    rounds,
    () => perCpuSecond(judge, durationMs),
    () => perCpuSecond(bare, durationMs),
  );
  return {
    status: 'measured',
    metric: 'quote checks',
    unit: '/s',
    better: 'higher',
    ours,
    floor: { name: 'bare crypto.verify P-256', samples: floor },
    note: 'per CPU-second; the floor is what Node itself leaves of OpenSSL',
  };
}

function checksOfQuotes(): Checks {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = attestationKeyFrom(publicKey);
  const quotes = Array.from({ length: quoteCount }, (_, index) => quoteBy(privateKey, key, index));
  const crypto = createNodeCrypto();
  const bareKey = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' }));
  return {
    judge: (index) => {
      const { quote, qualifyingData } = quoteAt(quotes, index);
      const verdict = judgeQuote(crypto, key, policy, quote, qualifyingData);
      if (verdict.status === 'refused') throw new Error(`a good quote is refused: ${verdict.reason}`);
    },
    bare: (index) => {
      const { quote, plainSignature } = quoteAt(quotes, index);
      if (!verify('sha256', quote.attestation, { key: bareKey, dsaEncoding: 'ieee-p1363' }, plainSignature))
        throw new Error('a good signature is refused');
    },
  };
}

interface BenchQuote {
  readonly quote: Quote;
  readonly qualifyingData: Uint8Array;
  /** r ‖ s. */
  readonly plainSignature: Uint8Array;
}

function quoteBy(privateKey: KeyObject, key: AttestationKey, index: number): BenchQuote {
  const pcrs = new Map(policy.indices.map((pcr) => [pcr, sha256(`register ${pcr} of machine ${index}`)]));
  const qualifyingData = sha256(`qualifying data ${index}`);
  const attestation = Attest.encode({
    magic: 0xff544347,
    body: {
      kind: 'quote',
      qualifiedSigner: key.qualifiedName,
      extraData: qualifyingData,
      clockInfo: { clock: BigInt(index), resetCount: 1, restartCount: 0, safe: true },
      firmwareVersion: 1n,
      attested: { pcrSelection: selectPcrs(policy.bank, policy.indices), pcrDigest: sha256(Buffer.concat([...pcrs.values()])) },
    },
  });
  const plainSignature = new Uint8Array(sign('sha256', attestation, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
  const signature = Signature.encode({
    scheme: 'ecdsa',
    hash: 'sha256',
    r: plainSignature.subarray(0, 32),
    s: plainSignature.subarray(32),
  });
  return { quote: { attestation, signature, pcrs }, qualifyingData, plainSignature };
}

/** Judged keys are plain data; the names are made up, which costs the check nothing. */
function attestationKeyFrom(publicKey: KeyObject): AttestationKey {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const point = new Uint8Array(Buffer.concat([Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]));
  const named = (words: string): Uint8Array => new Uint8Array(Buffer.concat([Uint8Array.of(0, 0x0b), sha256(words)]));
  return { name: named('name'), qualifiedName: named('qualified name'), point, curve: 'P-256', hash: 'sha256' };
}

function quoteAt(quotes: readonly BenchQuote[], index: number): BenchQuote {
  const quote = quotes[index % quotes.length];
  if (quote === undefined) throw new Error('there are no quotes to check');
  return quote;
}

function sha256(content: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(content).digest());
}
