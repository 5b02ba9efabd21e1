/** Who holds how many connections, by the broker's log (§5.3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newTally, noteLine, type ConnectionTally, type Surplus } from '../../device/mqtt/connection-tally.ts';
import { MQTT_LIMITS } from '../../device/limits.ts';

const ports = { clients: 1, boxes: 2, peers: 3 } as Parameters<typeof newTally>[0];
const { clients: most } = MQTT_LIMITS.connectionsPerCertificateMax;
let source = 1_024;

/** A client connects with an id. @returns the connection that has to be ended for it */
function enter(tally: ConnectionTally, clientId: string, name = 'mallory'): Surplus | undefined {
  source += 1;
  noteLine(tally, `New connection from 192.0.2.1:${source} on port 1.`);
  return noteLine(tally, `New client connected from 192.0.2.1:${source} as ${clientId} (p5, c1, k60, u'${name}').`);
}

test('one connection too many ends the oldest of that certificate, and an ended one does not count (§5.3)', () => {
  const tally = newTally(ports);
  enter(tally, 'other', 'alice');
  for (let index = 0; index < most; index += 1) assert.equal(enter(tally, `id-${index}`), undefined);
  assert.equal(enter(tally, 'one more')?.clientId, 'id-0');
  for (const line of ['id-1 disconnected.', 'id-2 closed its connection.', 'id-3 disconnected due to protocol error.'])
    noteLine(tally, `Client ${line}`);
  for (const id of ['a', 'b', 'c']) assert.equal(enter(tally, id), undefined);
  assert.equal(enter(tally, 'd')?.clientId, 'id-4');
});

test('an id like the line of another’s end does not hide its connection from the count (§5.3)', () => {
  const tally = newTally(ports);
  for (const tail of [' closed its', ' disconnected', ' disconnected,', ' has exceeded timeout,', ' closed its connection. Client x']) {
    const tallyBefore = tally.open.size;
    enter(tally, `a${tail}`);
    enter(tally, 'a');
    noteLine(tally, tail.includes('timeout') ? 'Client a has exceeded timeout, disconnecting.' : 'Client a closed its connection.');
    assert.deepEqual([tally.open.size, tally.open.has(`a${tail}`)], [tallyBefore + 1, true], tail);
  }
});

test('a name is read from the end of its line, whatever the id says (§5.3)', () => {
  const tally = newTally(ports);
  enter(tally, "x (p5, c1, k60, u'alice').");
  assert.deepEqual(
    [...tally.open.values()].map(({ name }) => name),
    ['mallory'],
  );
});
