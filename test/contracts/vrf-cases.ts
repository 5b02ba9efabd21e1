/** Proofs of RSA-FDH-VRF-SHA256: of a second implementation and of a software TPM, and what is near them. Specification §3.9. */
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { judgeVrfProof } from '#protocol/tpm/vrf.ts';
import { mutated } from '../../scripts/fuzz/mutation.ts';
import { pick, type Draw } from '../../scripts/fuzz/random.ts';
import { crypto, hex, vectors } from '../unit/tpm/captured.ts';
import { caseKind } from './case-kind.ts';

interface VrfInput {
  readonly modulus: Uint8Array;
  readonly alpha: Uint8Array;
  readonly proof: Uint8Array;
  readonly [name: string]: Uint8Array;
}

type Vector = Record<'source' | 'modulus' | 'alpha' | 'proof', string>;

const proven = (vectors('vrf.json') as Vector[]).map(({ source, modulus, alpha, proof }) => ({
  name: `${source} ${modulus.slice(0, 6)}: ${alpha.length / 2} bytes`,
  input: { modulus: hex(modulus), alpha: hex(alpha), proof: hex(proof) } satisfies VrfInput,
}));

export const vrfCases = caseKind<VrfInput>({
  name: 'vrf',
  named: function* () {
    yield* proven.map(({ name, input }) => [name, input] as const);
    const [first, second] = [proven[2], proven[17]];
    if (first === undefined || second === undefined) throw new Error('test/vectors/tpm/vrf.json has fewer proofs than expected');
    for (const [name, input] of near(first.input, second.input)) yield [`near ${first.name}: ${name}`, input];
    for (const [name, input] of near(second.input, first.input)) yield [`near ${second.name}: ${name}`, input];
  },
  judge: ({ modulus, alpha, proof }) => {
    const verdict = judgeVrfProof(crypto, modulus, alpha, proof);
    if (verdict.status === 'accepted') return { verdict: 'accepted', output: verdict.output };
    return { verdict: verdict.reason, output: new Uint8Array(32) };
  },
  mutate,
});

function* near(good: VrfInput, other: VrfInput): Iterable<readonly [string, VrfInput]> {
  const { modulus, alpha, proof } = good;
  const n = bytesToNumberBE(modulus);
  const numbers = [
    ['0', 0n],
    ['1', 1n],
    ['one more', bytesToNumberBE(proof) + 1n],
    ['its negative', n - bytesToNumberBE(proof)],
    ['the modulus less 1', n - 1n],
    ['the modulus', n],
    ['all ones', (1n << 2048n) - 1n],
  ] as const;
  for (const [name, value] of numbers) yield [`the proof is ${name}`, { ...good, proof: numberToBytesBE(value, 256) }];
  yield ['no proof', { ...good, proof: new Uint8Array() }];
  yield ['a proof of 255 bytes', { ...good, proof: proof.slice(1) }];
  yield ['a proof of 257 bytes', { ...good, proof: Uint8Array.of(0, ...proof) }];
  yield ['the proof of another key', { ...good, proof: other.proof }];
  yield ['another key', { ...good, modulus: other.modulus }];
  yield ['another input', { ...good, alpha: Uint8Array.of(...alpha, 0) }];
  yield ['an even modulus', { ...good, modulus: modulus.with(255, (modulus[255] ?? 0) ^ 1) }];
  yield ['a modulus of 2,047 bits', { ...good, modulus: modulus.with(0, (modulus[0] ?? 0) & 0x7f) }];
  yield ['a modulus of 255 bytes', { ...good, modulus: modulus.slice(1) }];
  yield ['a modulus of 257 bytes', { ...good, modulus: Uint8Array.of(...modulus, 1) }];
  yield ['no modulus', { ...good, modulus: new Uint8Array() }];
}

function mutate(draw: Draw): VrfInput {
  const { input } = pick(draw, proven);
  const name = pick(draw, ['modulus', 'alpha', 'proof'] as const);
  const value = input[name];
  const turned = value.length === 0 || draw(4) === 0 ? mutated([value], draw) : value.with(draw(value.length), draw(256));
  return { ...input, [name]: turned.slice(0, 2_000) };
}
