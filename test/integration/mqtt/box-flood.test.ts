/** A box that floods its device, at a real broker with the device's own serving: the words of an honest box arrive. Specification §6.7. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MqttClient } from 'mqtt';
import { BoxDoor } from '../../../device/hpc/box-door.ts';
import type { CapsuleRooms } from '../../../device/capsule-rooms.ts';
import { serve } from '../../../device/serving.ts';
import { attack, credential, DEVICE, NETWORK, ROOT, startBench, until, type BrokerBench } from './broker-bench.ts';

const HERE = `${ROOT}/${DEVICE}/hpc`;
let bench: BrokerBench;
let door: BoxDoor;
const lines: string[] = [];
/** What was let in of each box. */
const heard = new Map<string, string[]>();
let honest: MqttClient;

before(async () => {
  bench = await startBench();
  const log = (event: string, fields: object = {}): void => void lines.push(`${event} ${JSON.stringify(fields)}`);
  door = new BoxDoor({ silence: (boxes) => bench.broker.silence(boxes), nowMs: () => performance.now(), log });
  const rooms = {
    gateway: { retainedNews: () => ({ begin: () => undefined, end: () => undefined }) },
    controller: {
      boxSaid: (box: string, _kind: string, payload: Uint8Array) => {
        spend(0.2);
        heard.set(box, [...(heard.get(box) ?? []), new TextDecoder().decode(payload)]);
      },
    },
  } as unknown as CapsuleRooms;
  await serve(bench.own, { network: NETWORK, device: DEVICE }, rooms, { door, log });
  honest = await attack(bench, 'boxes', credential(bench, 'box', 'honest'));
});
after(async () => {
  door.close();
  await bench.stop();
});

/** What reading a message costs a device. */
function spend(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** As much as the broker takes and refuses, until told to end. */
function flood(liar: MqttClient, topic: string): { end: () => void; taken: () => number; refused: () => number } {
  let [isOn, taken, refused] = [true, 0, 0];
  const payload = Buffer.alloc(200, 7);
  const one = (): void => {
    if (!isOn) return;
    liar.publish(topic, payload, { qos: 1 }, (error) => {
      if (error) refused += 1;
      else taken += 1;
      setImmediate(one);
    });
  };
  for (let inFlight = 0; inFlight < 200; inFlight += 1) one();
  return { end: () => (isOn = false), taken: () => taken, refused: () => refused };
}

for (const kind of ['hello', 'evidence', 'chunk'] as const)
  test(`each word of an honest box is heard while a fenced one floods with ${kind} (§6.7)`, { timeout: 60_000 }, async () => {
    const [name, said] = [`liar-${kind}`, [] as string[]];
    heard.clear();
    await bench.broker.fence([name]);
    const liar = await attack(bench, 'boxes', credential(bench, 'box', name));
    liar.on('error', () => undefined);
    const flooding = flood(liar, `${HERE}/${name}/up/${kind}`);
    for (let word = 0; word < 100; word += 1) {
      said.push(`${kind} ${word}`);
      await honest.publishAsync(`${HERE}/honest/up/progress`, `${kind} ${word}`, { qos: 1 });
      await sleep(30);
    }
    flooding.end();
    await until(() => heard.get('honest')?.at(-1) === said.at(-1), 'the last word is heard');
    assert.deepEqual(heard.get('honest'), said);
    const read = heard.get(name)?.length ?? 0;
    assert.ok(read <= 300 && flooding.taken() < 5_000 && flooding.refused() > 5_000, `${read}, ${flooding.taken()}, ${flooding.refused()}`);
    assert.equal(lines.filter((line) => line.startsWith(`boxLeftAlone {"box":"${name}"`)).length, 1, lines.join('\n'));
  });
