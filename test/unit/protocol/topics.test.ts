/** Topics: built and parsed, and what is none. Specification §5.1. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readPlain } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import {
  BOX_DOWN,
  BOX_UP,
  CAPSULE_NEWS,
  CLIENT_ANSWERS,
  CLIENT_REQUESTS,
  clientSubtree,
  GOSSIP_KINDS,
  PEER_KINDS,
  Name,
  RELAY_LISTENERS,
  relayOpenedBy,
  relayTopic,
  pairingSessionOf,
  pairingTopic,
  parseTopic,
  topicFilter,
  topicOf,
  type Topic,
} from '#protocol/topics.ts';

const label = 'b218faf9a4a71b51';
const id = '00112233445566778899aabbccddeeff';
const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/).filter((word) => word !== 'gossip');
const capsule = fc.stringMatching(/^[0-9a-f]{32}$/);

const anyTopic: fc.Arbitrary<Topic> = fc.oneof(
  fc.record({ to: fc.constant('gossip' as const), kind: fc.constantFrom(...GOSSIP_KINDS) }),
  fc.record({ to: fc.constantFrom('status' as const, 'chain' as const), device: name }),
  fc.record({ to: fc.constant('peer' as const), device: name, peer: name, kind: fc.constantFrom(...PEER_KINDS) }),
  fc.record({
    to: fc.constant('client' as const),
    device: name,
    client: name,
    kind: fc.constantFrom(...CLIENT_REQUESTS, ...CLIENT_ANSWERS),
  }),
  fc.record({ to: fc.constant('capsule' as const), device: name, client: name, capsule, kind: fc.constantFrom(...CAPSULE_NEWS) }),
  fc.record({
    to: fc.constant('box' as const),
    device: name,
    box: name,
    direction: fc.constant('up' as const),
    kind: fc.constantFrom(...BOX_UP),
  }),
  fc.record({
    to: fc.constant('box' as const),
    device: name,
    box: name,
    direction: fc.constant('down' as const),
    kind: fc.constantFrom(...BOX_DOWN),
  }),
  fc.record({ to: fc.constant('sensor' as const), device: name, box: name, sensor: name }),
  fc.record({ to: fc.constant('box-state' as const), device: name, box: name }),
);

test('every topic is parsed back to what it was built of, and fits into the limit (§5.1)', () => {
  fc.assert(
    fc.property(anyTopic, (topic) => {
      const words = topicOf(label, topic);
      assert.deepEqual(parseTopic(label, words), JSON.parse(JSON.stringify(topic)));
      assert.ok(words.length <= LIMITS.topicCharactersMax && !/[+#$\s]/.test(words));
    }),
    { numRuns: 500 },
  );
});

test('a session through another broker is opened by its own topic alone (§5.7)', () => {
  for (const listener of RELAY_LISTENERS) {
    const session = { device: 'alpha', listener, session: id };
    const topic = relayTopic(session, 'open');
    assert.deepEqual(relayOpenedBy(topic), session);
    for (const wrong of [
      relayTopic(session, 'up'),
      relayTopic(session, 'down'),
      `${topic}/more`,
      topic.replace(listener, 'clients'),
      topic.replace('alpha', '+'),
      topic.replace('alpha', 'a'.repeat(33)),
      topic.replace(id, id.slice(1)),
      topic.replace('capstan/1/relay/', 'capstan/1/relay'),
    ])
      assert.equal(relayOpenedBy(wrong), undefined, wrong);
  }
});

test('a topic of another network is none of ours (§5.1)', () => {
  fc.assert(fc.property(anyTopic, (topic) => assert.equal(parseTopic('ffffffffffffffff', topicOf(label, topic)), undefined)));
});

test('what is parsed is what was said, for any words (§5.1)', () => {
  const level = fc.oneof(
    name,
    capsule,
    fc.constantFrom(
      '',
      '+',
      '#',
      'gossip',
      'clients',
      'capsules',
      'hpc',
      'up',
      'down',
      'pair',
      'status',
      'upload',
      'need',
      'state',
      'request',
      'beacon',
    ),
  );
  fc.assert(
    fc.property(fc.array(level, { maxLength: 8 }), (levels) => {
      const words = topicFilter(label, ...levels);
      const topic = parseTopic(label, words);
      if (topic) assert.equal(topicOf(label, topic), words);
    }),
    { numRuns: 2_000 },
  );
});

describe('what is no topic is not parsed (§5.1)', () => {
  const root = `capstan/1/${label}`;
  for (const words of [
    '',
    root,
    `${root}/`,
    `${root}/gossip`,
    `${root}/gossip/`,
    `${root}/gossip/beacon/`,
    `${root}/gossip/rumour`,
    `${root}/gossip/status`,
    `${root}//status`,
    `${root}/+/status`,
    `${root}/#`,
    `${root}/$SYS/status`,
    `${root}/Alpha/status`,
    `${root}/alpha-/status`,
    `${root}/${'a'.repeat(33)}/status`,
    `${root}/alpha/status/more`,
    `${root}/alpha/clients//submit`,
    `${root}/alpha/clients/+/submit`,
    `${root}/alpha/clients/you/constructor`,
    `${root}/alpha/clients/you/upload`,
    `${root}/alpha/clients/you/upload/chunk/more`,
    `${root}/alpha/clients/you/capsules/${id}`,
    `${root}/alpha/clients/you/capsules/${id}/toString`,
    `${root}/alpha/clients/you/capsules/${id.toUpperCase()}/state`,
    `${root}/alpha/clients/you/capsules/${id.slice(1)}/state`,
    `${root}/alpha/clients/you/capsules//state`,
    `${root}/alpha/hpc/alpha-box/up/assign`,
    `${root}/alpha/hpc/alpha-box/down/report`,
    `${root}/alpha/hpc/alpha-box/sideways/report`,
    `${root}/alpha/hpc/../up/report`,
    pairingTopic(id, 'request'),
    `/${root}/alpha/status`,
    `$share/all/${root}/alpha/status`,
    `$SYS/broker/uptime`,
    `capstan/2/${label}/alpha/status`,
    `capstan/1/${label}0/alpha/status`,
    `${root}/alpha/status\u0000`,
    `${root}/${'a/'.repeat(60_000)}`,
  ]) {
    test(JSON.stringify(words.slice(0, 90)), () => assert.equal(parseTopic(label, words), undefined));
  }
});

test("answers may go below the client's own subtree and nowhere else (§5.2)", () => {
  const subtree = clientSubtree(label, 'alpha', 'you');
  assert.ok(topicOf(label, { to: 'client', device: 'alpha', client: 'you', kind: 'answer' }).startsWith(subtree));
  for (const client of ['you2', 'yo', 'me'])
    assert.ok(!topicOf(label, { to: 'client', device: 'alpha', client, kind: 'answer' }).startsWith(subtree));
});

test('a name is 1 to 32 lower-case letters, digits and inner hyphens (§4.2)', () => {
  const isName = (word: string): boolean => readPlain(Name, word).status === 'decoded';
  for (const word of ['a', '0', 'alpha', 'a-b', 'a--b', 'a'.repeat(32)]) assert.ok(isName(word), word);
  for (const word of ['', '-', 'a-', '-a', 'A', 'a_b', 'a.b', 'a b', 'ä', 'a/b', '+', 'a\n', 'a'.repeat(33)])
    assert.ok(!isName(word), word);
});

test('a session is read from its request on a pairing broker and from nothing else (§5.6)', () => {
  assert.equal(pairingSessionOf(pairingTopic(id, 'request')), id);
  const wrong = [
    pairingTopic(id, 'response'),
    pairingTopic('+', 'request'),
    pairingTopic(id.slice(1), 'request'),
    pairingTopic(id.toUpperCase(), 'request'),
    `${pairingTopic(id, 'request')}/more`,
    `capstan/1/pair/${id}`,
    `capstan/1/pairs/${id}/request`,
    '',
  ];
  for (const topic of wrong) assert.equal(pairingSessionOf(topic), undefined, topic);
});
