/** The network file: what its id commits to, what contradicts itself, and what hangs on it. Specification §4. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeStrict, readPlain } from '#protocol/codec.ts';
import { EndpointUrl } from '#protocol/endpoint-url.ts';
import { decodeNetwork, encodeNetwork, memberOf, Network, networkId, networkLabel, nodeIdOf, foundersOf } from '#protocol/network.ts';
import { PeersUrl } from '#protocol/peers-url.ts';
import { alpha, bravo, network, networkFile, outcomeOf, receiptWith } from './workshop.ts';

const [first, second, third] = network.members;
assert.ok(first && second && third);

function refusalOf(changed: Network): string {
  const decoded = decodeNetwork(encodeStrict(Network, changed));
  return decoded.status === 'malformed' ? decoded.detail : 'decoded';
}

test('a network file is read back as it was written (§4)', () => {
  assert.deepEqual(encodeNetwork(network), networkFile);
  assert.deepEqual(decodeNetwork(networkFile), { status: 'decoded', value: network });
});

test('members that joined after the founding may stand beside the founders, who alone are in the genesis state (§4.2)', () => {
  const later = { ...network, genesis: { ...network.genesis, members: network.genesis.members.slice(1) } };
  assert.equal(refusalOf(later), 'decoded');
  assert.deepEqual(
    foundersOf(later).map(({ name }) => name),
    [second.name, third.name],
  );
});

describe('a network file whose parts do not fit one another is refused (§4.2)', () => {
  const { genesis, members } = network;
  const differ = 'an entry of a member that the genesis names is missing';
  const contradictions: readonly (readonly [rule: string, changed: Network, detail: string])[] = [
    ['a seat without a member', { ...network, members: members.slice(1) }, differ],
    [
      'another member than the one with the seat',
      { ...network, members: [first, second, { ...third, endorsementKey: Uint8Array.of(1) }] },
      differ,
    ],
    [
      'a seat named twice',
      { ...network, genesis: { ...genesis, members: [...genesis.members, genesis.members[0]!] } },
      'the genesis names one member twice',
    ],
    [
      'one endorsement key for two members, one of whom has no entry',
      { ...network, members: [first, second, { ...second, name: 'third' }] },
      'two members have one endorsement key',
    ],
    [
      'one name for two members',
      { ...network, members: [first, second, { ...third, name: first.name }] },
      'two members have the same name',
    ],
    [
      'a name that stands for gossip in topics',
      { ...network, members: [{ ...first, name: 'gossip' }, second, third] },
      'a member is named "gossip", which means something else in topics',
    ],
    [
      'a release that ends before it begins',
      { ...network, references: [{ kind: 'firmware', digest: new Uint8Array(32), label: 'next', validFrom: 2, validUntil: 2 }] },
      'the window of the reference "next" ends before it begins',
    ],
  ];
  for (const [rule, changed, detail] of contradictions) {
    test(rule, () => assert.equal(refusalOf(changed), detail));
  }
});

describe('the network id commits to the genesis, and to nothing else (§4.1)', () => {
  const { genesis } = network;
  const id = networkId(network).toHex();
  const changes: Partial<Network['genesis']>[] = [
    { name: 'other' },
    { salt: new Uint8Array(16) },
    { members: genesis.members.toReversed() },
    { endorsementAuthorities: genesis.endorsementAuthorities.map((authority) => ({ ...authority, softwareTpm: false })) },
    { credentialsMin: 1 },
  ];
  for (const change of changes) {
    test(`another ${Object.keys(change).join()} is another network`, () =>
      assert.notEqual(networkId({ ...network, genesis: { ...genesis, ...change } }).toHex(), id));
  }

  test('new references and new addresses are the same network', () => {
    assert.equal(networkId({ ...network, references: [] }).toHex(), id);
    assert.equal(
      networkId({ ...network, members: network.members.map((member) => ({ ...member, peersUrl: 'mqtts://elsewhere:1' })) }).toHex(),
      id,
    );
  });

  test('its first 8 bytes stand in topics', () => assert.equal(networkLabel(network), id.slice(0, 16)));
});

describe('the chains of layer 1 stand beside the genesis (§4.5)', () => {
  const chain = { chainId: 31_337, anchors: new Uint8Array(20).fill(7), endpoints: ['https://one.example/v1', 'http://127.0.0.1:8545'] };

  test('a network with chains is read back as it was written, and is the same network', () => {
    const onChains = { ...network, layer1: [chain, { ...chain, chainId: 1 }] };
    assert.deepEqual(decodeNetwork(encodeNetwork(onChains)), { status: 'decoded', value: onChains });
    assert.deepEqual(networkId(onChains), networkId(network));
  });

  test('a chain stands once, and so does an endpoint of a chain', () => {
    assert.equal(refusalOf({ ...network, layer1: [chain, chain] }), 'two entries of layer1 are of one chain');
    const endpoints = ['https://one.example', 'https://one.example'];
    assert.equal(
      refusalOf({ ...network, layer1: [{ ...chain, endpoints }] }),
      'layer1 names one endpoint of chain 31337 twice: nothing would be compared',
    );
  });

  for (const url of [
    'https://one.example',
    'https://[2001:db8::1]:8545',
    'https://one.example/rpc/v1/',
    'http://localhost:8545',
    'http://[::1]',
  ]) {
    test(`${url} is an endpoint`, () => assert.equal(readPlain(EndpointUrl, url).status, 'decoded'));
  }
  for (const url of [
    'http://one.example',
    'http://127.0.0.1.example',
    'https://user:word@one.example',
    'https://one.example?key=1',
    'ws://127.0.0.1',
  ]) {
    test(`${url} is none`, () => assert.equal(readPlain(EndpointUrl, url).status, 'malformed'));
  }
});

describe('an address for peers is mqtts://host:port and nothing else (§4.2)', () => {
  const labels = Array.from({ length: 3 }, () => 'a'.repeat(63)).join('.');
  const hosts = [
    'localhost',
    'alpha',
    'a-1.Example.org',
    '192.168.1.20',
    '[::]',
    '[::1]',
    '[fe80::1:2]',
    '[2001:db8:0:0:0:0:0:1]',
    '[1::]',
    labels,
  ];
  const good = [...hosts.map((host) => `mqtts://${host}:8883`), 'mqtts://x:1', 'mqtts://x:65535'];
  for (const url of good) {
    test(`${url.slice(0, 40)} is taken`, () => {
      assert.equal(readPlain(PeersUrl, url).status, 'decoded');
      assert.equal(new URL(url).port, url.slice(url.lastIndexOf(':') + 1));
    });
  }
  const badHosts = [
    '',
    '[',
    '[]',
    '[:]',
    '[:::]',
    '[1::2::3]',
    '[1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7::8]',
    '[12345::]',
    '[fe80::1%eth0]',
    '::1',
    '-a',
    'a-',
  ];
  const worseHosts = ['a..b', 'a.', 'a_b', 'a b', 'a%00', 'a@b', 'user:word@b', 'ä', `${'a'.repeat(64)}.b`];
  const badPorts = ['0', '00', '08883', '65536', '99999', '100000', '-1', '', 'x', '1/', '1/path', '1?query', '1#part', '1\n'];
  const bad = [...[...badHosts, ...worseHosts].map((host) => `mqtts://${host}:8883`), ...badPorts.map((port) => `mqtts://x:${port}`)];
  for (const url of [...bad, 'mqtts://x', 'mqtt://x:1', 'MQTTS://x:1', ' mqtts://x:1', `mqtts://${labels}.${'a'.repeat(62)}:8883`]) {
    test(`${JSON.stringify(url).slice(0, 40)} is refused`, () => assert.equal(readPlain(PeersUrl, url).status, 'malformed'));
  }
});

test('a node id is the digest of the endorsement key: one chip, one seat (§3.1)', () => {
  assert.deepEqual(
    network.genesis.members,
    network.members.map(({ endorsementKey }) => nodeIdOf(endorsementKey)),
  );
  assert.equal(memberOf(network, alpha.node)?.name, 'alpha');
  assert.equal(memberOf(network, bravo.node)?.name, 'bravo');
  assert.equal(memberOf(network, new Uint8Array(32)), undefined);
});

/** What a receipt of alpha does not rest on: addresses, labels, and of other members what only their own evidence needs. */
function whatMatters({ genesis, members, references }: Network): unknown {
  return {
    genesis,
    references: references.map(({ label: _, ...known }) => known),
    members: members.map(({ name, endorsementKey, attestationKey, endorsementCertificate, endorsementIntermediates, vrfKey }) =>
      nodeIdOf(endorsementKey).toHex() === alpha.node.toHex()
        ? { name, endorsementKey, attestationKey, endorsementCertificate, endorsementIntermediates, vrfKey }
        : { endorsementKey, attestationKey },
    ),
  };
}

test('a receipt does not hold against a network file in which any byte that matters was changed (§9.2)', () => {
  const receipt = receiptWith();
  let unharmed = 0;
  for (let at = 0; at < networkFile.length; at += 5) {
    const decoded = decodeNetwork(networkFile.with(at, networkFile[at]! ^ 1));
    if (decoded.status === 'malformed' || outcomeOf(receipt, decoded.value) !== 'verified') continue;
    unharmed += 1;
    assert.deepEqual(whatMatters(decoded.value), whatMatters(network), `byte ${at}`);
  }
  assert.ok(unharmed > 0 && unharmed < networkFile.length / 10, `${unharmed} changed bytes made no difference`);
});
