/** Three devices attest one another over gossip, each with its own software TPM. Specification §3. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import type { AttestationKind } from '#protocol/topics.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';
import type { Gossip, RecordFile } from '../../../device/attestation/ports.ts';
import { IdentityError } from '../../../device/identity/identity-error.ts';
import { runAttestation, type Attestation, type AttestationRequest } from '../../../device/attestation/host.ts';
import { crypto, startBench, type Bench, type Device } from './bench.ts';

let bench: Bench;
before(async () => {
  bench = await startBench();
});
after(() => bench.stop());

type Handler = (peer: string, kind: AttestationKind, payload: Uint8Array) => void;

/** Brokers in memory: what is retained reaches whoever comes later. */
class Brokers {
  readonly #handlers = new Map<string, Handler>();
  readonly #retained = new Map<string, Map<AttestationKind, Uint8Array>>();

  gossipOf(name: string): Gossip {
    return {
      publish: async (kind, payload) => {
        const retained = this.#retained.get(name) ?? new Map<AttestationKind, Uint8Array>();
        this.#retained.set(name, retained.set(kind, payload));
        for (const [other, handler] of this.#handlers) if (other !== name) handler(name, kind, payload);
      },
      onMessage: (handler) => {
        this.#handlers.set(name, handler);
        for (const [other, kinds] of this.#retained) if (other !== name) for (const [kind, payload] of kinds) handler(other, kind, payload);
      },
    };
  }
}

function memoryRecord(): RecordFile & { saved: Uint8Array | undefined } {
  const file = {
    saved: undefined as Uint8Array | undefined,
    load: async () => file.saved,
    save: async (record: Uint8Array) => void (file.saved = record),
  };
  return file;
}

function requestOf(device: Device, brokers: Brokers, records: RecordFile): AttestationRequest {
  return {
    network: bench.network,
    crypto,
    attester: device.identity,
    gossip: brokers.gossipOf(device.name),
    records,
    clock: Date.now,
    random: (bytes) => globalThis.crypto.getRandomValues(new Uint8Array(bytes)),
    log: () => undefined,
    onStanding: () => undefined,
    onFailure: (error) => assert.fail(String(error)),
  };
}

async function attest(
  device: Device,
  brokers: Brokers,
  records: RecordFile,
  onStanding: AttestationRequest['onStanding'] = () => undefined,
): Promise<Attestation> {
  return runAttestation({ ...requestOf(device, brokers, records), onStanding });
}

test('devices that start with nothing vouch for one another and trust one another within seconds (§3)', { timeout: 20_000 }, async () => {
  const brokers = new Brokers();
  const done = Promise.withResolvers<undefined>();
  const trusted = new Set<string>();
  const start = (device: Device, record: RecordFile) =>
    attest(device, brokers, record, (peer, standing) => {
      if (standing.verdict === 'trusted') trusted.add(`${device.name} of ${peer}`);
      if (trusted.size === 9) done.resolve(undefined);
    });
  const [first, second, third] = bench.devices;
  const kept = memoryRecord();
  const [alpha, bravo, charlie] = await Promise.all([start(first, memoryRecord()), start(second, kept), start(third, memoryRecord())]);
  await done.promise;
  assert.equal(alpha.standings().get('bravo')?.verdict, 'trusted');
  assert.equal(alpha.ownStanding()?.verdict, 'trusted');
  const [older, fresh] = [alpha.evidence(), await alpha.freshEvidence()];
  assert.notDeepEqual(fresh, older);

  await bravo.stop();
  const again = await attest(second, brokers, kept);
  await again.freshEvidence();
  assert.equal(again.ownStanding()?.verdict, 'trusted', 'a restarted program shows the credentials that it remembers');
  await Promise.all([alpha.stop(), again.stop(), charlie.stop()]);
});

test('a device that is alone says why nobody would believe it (§3.4)', async (t) => {
  const alone = await attest(bench.devices[0], new Brokers(), memoryRecord());
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const evidence = assert.rejects(alone.freshEvidence(), {
    code: 'ERR_NO_EVIDENCE',
    message: /^0 other members vouch .*at least 2 peers have to be up$/,
  });
  t.mock.timers.tick(DEVICE_LIMITS.evidenceWaitMs);
  await evidence;
  t.mock.timers.reset();
  await alone.stop();
});

test('a TPM that is lost ends the device, once; a broker that is away does not', async () => {
  for (const lose of ['tpm', 'broker'] as const) {
    const failed = Promise.withResolvers<unknown>();
    const failures: unknown[] = [];
    const request = requestOf(bench.devices[0], new Brokers(), memoryRecord());
    const lost = new IdentityError('ERR_TPM_LOST', 'gone');
    const away = new Error('not connected');
    const attester = {
      ...request.attester,
      node: request.attester.node,
      signWithAttestationKey: () => Promise.reject(lost),
      closeSecret: () => Promise.reject(lost),
    };
    const gossip: Gossip = { ...request.gossip, publish: () => Promise.reject(away) };
    const running = await runAttestation({
      ...request,
      ...(lose === 'tpm' ? { attester } : { gossip }),
      onFailure: (error) => {
        failures.push(error);
        failed.resolve(error);
      },
    });
    if (lose === 'tpm') assert.equal(await failed.promise, lost);
    await running.stop();
    assert.equal(failures.length, lose === 'tpm' ? 1 : 0, 'a broker that is away ends nothing');
  }
});
