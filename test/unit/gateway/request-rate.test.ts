/** How often a client may query. Specification §7.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeRequest, type RequestRates } from '../../../device/gateway/request-rate.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';

test('a burst is answered, then as many queries a second as the limit says, for each client by itself (§7.5)', () => {
  let rates: RequestRates = new Map();
  const ask = (client: string, atMs: number): boolean => {
    const taken = takeRequest(rates, client, atMs);
    rates = taken.rates;
    return taken.allowed;
  };
  const burst = Array.from({ length: DEVICE_LIMITS.queryBurst + 5 }, () => ask('ada', 0));
  assert.equal(burst.filter(Boolean).length, DEVICE_LIMITS.queryBurst);
  assert.equal(ask('bob', 0), true, 'another client is not concerned');
  const second = Array.from({ length: DEVICE_LIMITS.queriesPerSecond * 2 }, () => ask('ada', 1_000));
  assert.equal(second.filter(Boolean).length, DEVICE_LIMITS.queriesPerSecond);
  ask('carol', 3_600_000);
  assert.deepEqual([...rates.keys()], ['carol'], 'who has its whole burst again is not remembered');
});
