/** Wait certificates of a software TPM judged per second of one core (specification §12.3), beside their two bare P-256 checks. */
import { createPublicKey, randomBytes, verify, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { endQualifier, judgeWait, startQualifier, type Wait } from '#protocol/chain/wait-certificate.ts';
import { attestationKeyOf } from '#protocol/member-keys.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import { openIdentity, type Identity } from '../../device/identity/identity.ts';
import { startSoftwareTpm } from '../../device/tpm/swtpm.ts';
import type { Benchmark } from './benchmark.ts';
import { inTurns, perCpuSecond } from './rounds.ts';

export const waitCertificates: Benchmark = {
  name: 'waits',
  summary: 'pairs of wait certificates judged, per core, beside their two bare P-256 checks',
  metric: 'wait certificates judged',
  run: async ({ rounds, quick, folder }) => {
    const tpm = await startSoftwareTpm({ folder: join(folder, 'waits-tpm') });
    try {
      const checks = await checksOfWaits(tpm.tcti, join(folder, 'waits'));
      const durationMs = quick ? 200 : 700;
      perCpuSecond(checks.judge, durationMs);
      const { ours, floor } = await inTurns(
        rounds,
        () => perCpuSecond(checks.judge, durationMs),
        () => perCpuSecond(checks.bare, durationMs),
      );
      return [
        {
          status: 'measured',
          metric: 'wait certificates judged (pairs)',
          unit: '/s',
          better: 'higher',
          ours,
          floor: { name: 'two bare crypto.verify P-256', samples: floor },
          note: 'per CPU-second, one core: start and end by swtpm, both TPMS_ATTEST read, qualifiers, counts, order and span',
        },
      ];
    } finally {
      await tpm.kill();
    }
  },
};

/** As many as a member takes from others one after another; each pair has signatures of its own. */
const waitCount = 32;

interface Signed {
  readonly attestation: Uint8Array;
  readonly signature: Uint8Array;
}

async function checksOfWaits(tcti: string, folder: string): Promise<{ judge: (index: number) => void; bare: (index: number) => void }> {
  const crypto = createNodeCrypto();
  const digest = (): Uint8Array => new Uint8Array(randomBytes(32));
  const measurements = { firmware: digest(), addon: digest(), board: digest() };
  const identity = await openIdentity({ tcti, folder, measurements, crypto });
  try {
    const { endorsementKey, attestationKey } = identity.keys;
    const key = attestationKeyOf({ endorsementKey: endorsementKey.publicArea, attestationKey: attestationKey.publicArea }, crypto);
    if (!key) throw new Error('the attestation key has not the template');
    const waits: Wait[] = [];
    for (let height = 1; height <= waitCount; height += 1) waits.push(await certifiedWait(identity, digest(), height));
    const publicKey = keyObjectOf(key.point);
    const at = (index: number): Wait => waits[index % waitCount] as Wait;
    return {
      judge: (index) => {
        const verdict = judgeWait(crypto, key, at(index));
        if (verdict.status === 'refused') throw new Error(`a good wait is refused: ${verdict.reason}, ${verdict.detail}`);
      },
      bare: (index) => {
        const { start, end } = at(index);
        if (!isRight(start, publicKey) || !isRight(end, publicKey)) throw new Error('a good signature is refused');
      },
    };
  } finally {
    await identity.close();
  }
}

async function certifiedWait(identity: Identity, network: Uint8Array, height: number): Promise<Wait> {
  const subject = { network, parent: new Uint8Array(randomBytes(32)), node: identity.node, height };
  const start = await identity.certifyTime(startQualifier(subject));
  // As long as a header: what is hashed for the qualifier.
  const headerBytes = new Uint8Array(randomBytes(700));
  const end = await identity.certifyTime(endQualifier(headerBytes));
  return { ...subject, start, end, headerBytes, waitMs: 0 };
}

function isRight({ attestation, signature }: Signed, key: KeyObject): boolean {
  return verify('sha256', attestation, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function keyObjectOf(point: Uint8Array): KeyObject {
  const part = (from: number): string => point.subarray(from, from + 32).toBase64({ alphabet: 'base64url', omitPadding: true });
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: part(1), y: part(33) }, format: 'jwk' });
}
