/** What a member of the chain says of itself ends no device that follows it. Specification §4.2, §14.3. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Connection } from '#protocol/mqtt-port.ts';
import { joinGossip } from '../../device/gossip.ts';
import { openAuthority } from '../../device/mqtt/authority.ts';
import { createStubMember } from '../simulation/stub-tpm.ts';

test('a member whose address can not be opened stays unreachable, and the others are followed (§4.2)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-gossip-'));
  const authority = openAuthority({ folder, device: 'alpha', hosts: [] });
  const lines: unknown[] = [];
  const own: Connection = {
    state: 'connected',
    publish: async () => 'acknowledged',
    subscribe: async () => {},
    onState: () => {},
    connected: async () => {},
    close: async () => {},
  };
  const network = '0123456789abcdef' as Parameters<typeof joinGossip>[0]['network'];
  const gossip = joinGossip(
    { own, network, device: 'alpha', authority, log: (event, fields) => lines.push([event, fields?.['peer']]) },
    [],
  );
  const memberAt = (name: string, peersUrl: string) => ({
    ...createStubMember(name).member,
    peersUrl,
    peersAuthority: authority.root('device'),
  });
  try {
    gossip.setPeers([memberAt('evil', 'mqtts://['), memberAt('ogre', 'mqtts://x:99999'), memberAt('bravo', 'mqtts://127.0.0.1:1')]);
    assert.deepEqual(lines, [
      ['peerAddressUnusable', 'evil'],
      ['peerAddressUnusable', 'ogre'],
    ]);
    assert.equal(gossip.isReached('evil'), false);
  } finally {
    await gossip.close();
    rmSync(folder, { recursive: true });
  }
});
