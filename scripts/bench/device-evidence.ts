/** Judgement of a device's whole evidence (specification §3.6), made by a device of the bench grid, per second of one core. */
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { judgeDeviceEvidence } from '#protocol/evidence.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import type { Benchmark } from './benchmark.ts';
import { birthOn, connectToGrid } from './grid-connection.ts';
import type { Grid } from '../grid/grid.ts';
import { inTurns, perCpuSecond } from './rounds.ts';

export const deviceEvidence: Benchmark = {
  name: 'evidence',
  summary: "a device's whole evidence judged, per core, beside the five bare P-256 checks that it needs at least",
  metric: 'device evidence judged',
  run: async ({ rounds, quick, grid }) => {
    const running = await grid.take();
    const evidence = await evidenceOf(running);
    const crypto = createNodeCrypto();
    const judge = (): void => {
      const verdict = judgeDeviceEvidence(evidence, { network: running.network, crypto, atMs: Date.now() });
      if (verdict.status === 'untrusted') throw new Error(`the evidence of a good device is refused: ${verdict.reason}, ${verdict.detail}`);
    };
    const durationMs = quick ? 150 : 500;
    perCpuSecond(judge, durationMs);
    const { ours, floor } = await inTurns(
      rounds,
      () => perCpuSecond(judge, durationMs),
      () => perCpuSecond(bareChecks(), durationMs),
    );
    return [
      {
        status: 'measured',
        metric: 'device evidence judged',
        unit: '/s',
        better: 'higher',
        ours,
        floor: { name: 'its 5 P-256 checks, bare', samples: floor },
        note: `per CPU-second; ${evidence.length} bytes: EK certificate, keys, two credentials, beacon, quote, measured boot, time`,
      },
    ];
  },
};

const waitMs = 20_000;
const signatures = 5; // two credentials, beacon, quote, time

async function evidenceOf(grid: Grid): Promise<Uint8Array> {
  const { connection } = await connectToGrid(grid);
  try {
    const { evidence } = await birthOn(connection, grid, (status) => status.evidence !== undefined, waitMs);
    return evidence ?? new Uint8Array();
  } finally {
    await connection.close();
  }
}

function bareChecks(): () => void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const message = randomBytes(150);
  const signature = sign('sha256', message, privateKey);
  return () => {
    for (let index = 0; index < signatures; index += 1) {
      if (!verify('sha256', message, publicKey, signature)) throw new Error('a good signature is refused');
    }
  };
}
