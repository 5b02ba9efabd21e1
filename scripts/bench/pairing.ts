/** From opening a window to the certificate on the disk (specification §5.6), and what of it are scrypt and curve arithmetic. */
import { createECDH, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  finishProver,
  finishVerifier,
  proverSecretOf,
  proverShare,
  scalarOf,
  verifierRecordOf,
  verifierShare,
} from '#protocol/spake2plus.ts';
import { stretchAside } from '../../device/pairing/pairing-cipher.ts';
import { GRID_CLIENT } from '../grid/layout.ts';
import { pairHere } from '../pair/holder.ts';
import type { Benchmark, Measured } from './benchmark.ts';
import { inTurns, type Rounds } from './rounds.ts';

export const pairing: Benchmark = {
  name: 'pairing',
  summary: 'a client paired by a code with a device of the grid; scrypt and curve arithmetic beside those of OpenSSL',
  metric: 'pairing, window to certificate',
  run: async ({ rounds, folder, grid }) => {
    const { layout } = await grid.take();
    const device = layout.device(GRID_CLIENT.device);
    let number = 0;
    const pairOne = (): Promise<number> =>
      timed(() => pairHere(device, 'client', `bench-${(number += 1)}`, join(folder, `paired-${number}`)));
    await pairOne();
    const whole = await inTurns(rounds, pairOne, () => timed(stretchTwice));
    const curve = await inTurns(
      rounds,
      () => timed(exchange),
      () => timed(agreeTwice),
    );
    return [
      row(
        'pairing, window to certificate',
        whole,
        'scrypt at both ends',
        'window, TLS, three calls, two scrypt, NV writes, certificate, files',
      ),
      row('curve arithmetic of both ends of SPAKE2+', curve, 'ECDH of OpenSSL, four', 'plain TypeScript; registration is not in it'),
    ];
  },
};

function row(metric: string, { ours, floor }: Rounds, name: string, note: string): Measured {
  return { status: 'measured', metric, unit: ' ms', better: 'lower', ours, floor: { name, samples: floor }, note };
}

async function timed(work: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

const salt = new Uint8Array(randomBytes(32));

/** The device stretches the code when the window opens, the other end when it joins. */
async function stretchTwice(): Promise<void> {
  await stretchAside(salt, salt);
  await stretchAside(salt, salt);
}

const context = { context: salt, idProver: salt, idVerifier: salt };
const secret = proverSecretOf(new Uint8Array(randomBytes(80)));
const record = verifierRecordOf(secret);

function exchange(): void {
  const [x, y] = [scalarOf(new Uint8Array(randomBytes(48))), scalarOf(new Uint8Array(randomBytes(48)))];
  const [shareP, shareV] = [proverShare(secret, x), verifierShare(record, y)];
  finishVerifier(context, record, y, shareP);
  finishProver(context, secret, x, shareV);
}

/** Two products of a point at each end: Z and V. */
function agreeTwice(): void {
  const other = createECDH('prime256v1').generateKeys();
  for (let product = 0; product < 4; product += 1) {
    const own = createECDH('prime256v1');
    own.setPrivateKey(scalarOf(new Uint8Array(randomBytes(48))));
    own.computeSecret(other);
  }
}
