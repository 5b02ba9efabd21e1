/** A box held over Redfish, against a service that the test runs over TLS: correct, slow, lying, too large. Specification §16.5. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BoxHardware } from '../../../device/board/ports.ts';
import { holdByBmc } from '../../../device/bmc/bmc-box.ts';
import { trustOf } from '../../../device/bmc/bmc-configuration.ts';
import { BmcFailed } from '../../../device/bmc/bmc.ts';
import { RedfishConnection } from '../../../device/bmc/redfish-connection.ts';
import { openRedfish, type RedfishRequest } from '../../../device/bmc/redfish.ts';
import { holdsContract } from './hardware-contract.ts';
import { CHASSIS, PASSWORD, RESET, say, startRedfishService, SYSTEM, type RedfishService } from './redfish-service.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(kind: 'modern' | 'former' = 'modern'): Promise<RedfishService> {
  const service = await startRedfishService(kind);
  ends.push(() => service.stop());
  return service;
}

function access(service: RedfishService, change: Partial<RedfishRequest> = {}): RedfishRequest {
  const { url, user, passwordFile, authority } = service;
  return { url, user, passwordFile, trust: { authority }, timeoutMs: 2_000, ...change };
}

async function holdBox(service: RedfishService, change: Partial<RedfishRequest> = {}): Promise<BoxHardware> {
  const box = holdByBmc(await openRedfish(access(service, change)));
  ends.push(() => box.close());
  return box;
}

async function failureOf(work: Promise<unknown>): Promise<BmcFailed> {
  const error = await work.then(
    () => assert.fail('it does not fail'),
    (one: unknown) => one,
  );
  assert.ok(error instanceof BmcFailed, String(error));
  assert.ok(!error.message.includes(PASSWORD), 'no error tells the password');
  return error;
}

const textOf = async (box: BoxHardware): Promise<string[]> =>
  (await box.sample()).map(({ sensor, value, quality }) => `${sensor} ${value} ${quality}`);

for (const kind of ['modern', 'former'] as const)
  test(`a box behind a ${kind} Redfish service holds the contract of box hardware (§16.5)`, { timeout: 60_000 }, async () => {
    const service = await serve(kind);
    const hardware = await holdBox(service);
    assert.equal(hardware.source, 'redfish');
    const setIntrusion = (isOpen: boolean): void => {
      const chassis = service.resources.get(CHASSIS) ?? {};
      service.resources.set(CHASSIS, { ...chassis, PhysicalSecurity: { IntrusionSensor: isOpen ? 'HardwareIntrusion' : 'Normal' } });
    };
    await holdsContract({ hardware, isOn: () => service.isOn, setIntrusion, patienceMs: 20_000 });
    assert.equal(service.sessions(), 0, 'the session was ended');
  });

test('Sensors and EnvironmentMetrics are read with units, limits and the accuracy that the service states (DSP2046)', async () => {
  const service = await serve();
  const box = await holdBox(service);
  assert.deepEqual(await textOf(box), [
    'power 214500 good',
    'energy 1000250 good',
    'cpu-temp 45500 good',
    'fan-1 5400 good',
    'p12v 12090 good',
    'cpu-temp-2 0 failed',
    'chassis-intrusion 0 good',
  ]);
  const facts = new Map(box.sensors.map(({ name, accuracy, limits }) => [name, { accuracy, limits }]));
  assert.deepEqual(facts.get('cpu-temp'), { accuracy: { permille: 0, absolute: 1_500 }, limits: { max: 95_000 } });
  assert.deepEqual(facts.get('p12v')?.accuracy, { permille: 10, absolute: 0 });
  assert.deepEqual(facts.get('power')?.accuracy, { permille: 100, absolute: 1_000 });
  const one = service.resources.get(`${CHASSIS}/Sensors/CPU`) ?? {};
  service.resources.set(`${CHASSIS}/Sensors/CPU`, { ...one, Reading: 180 });
  service.resources.set(`${CHASSIS}/Sensors/P12V`, { ...service.resources.get(`${CHASSIS}/Sensors/P12V`), Reading: 'twelve' });
  const readings = await textOf(box);
  assert.equal(readings[2], 'cpu-temp 180000 out-of-range');
  assert.equal(readings[4], 'p12v 0 failed', 'one sensor in another shape fails alone');
});

test('Power and Thermal are read where a chassis has nothing newer, and members one by one where nothing expands (DSP2046)', async () => {
  const former = await holdBox(await serve('former'));
  assert.deepEqual(await textOf(former), [
    'power 344000 good',
    'vrm1 12010 good',
    'cpu1-temp 41000 good',
    'fan1 2100 good',
    'chassis-intrusion 0 good',
  ]);
  const service = await serve();
  service.resources.set('/redfish/v1/', { ...service.resources.get('/redfish/v1/'), ProtocolFeaturesSupported: {} });
  const box = await holdBox(service);
  assert.equal((await textOf(box))[2], 'cpu-temp 45500 good');
  assert.ok(service.requests.includes(`GET ${CHASSIS}/Sensors/CPU`));
});

test('an order waits for one request of a reading, and the reading is done again after it (§16.5)', async () => {
  const service = await serve();
  const box = await holdBox(service);
  const metrics = `${CHASSIS}/EnvironmentMetrics`;
  const resource = service.resources.get(metrics) ?? {};
  const held = Promise.withResolvers<Parameters<typeof say>[0]>();
  service.odd.set(metrics, held.resolve);
  const sampling = box.sample();
  const response = await held.promise;
  service.odd.clear();
  const before = service.requests.length;
  const ordering = box.power('on');
  say(response, 200, resource);
  assert.deepEqual(await ordering, { status: 'done' });
  assert.equal((await sampling)[0]?.quality, 'good');
  const after = service.requests.slice(before);
  assert.ok(after.indexOf(`POST ${RESET}`) < after.indexOf(`GET ${metrics}`), after.join('; '));
  assert.ok(after.indexOf(`POST ${RESET}`) < after.findIndex((request) => request.includes('/Sensors')), after.join('; '));
});

test('only resets that the service allows are offered, by the action or by its ActionInfo; by none, those of DSP2046', async () => {
  const service = await serve();
  const system = service.resources.get(SYSTEM) ?? {};
  const offering = async (action: Record<string, unknown>): Promise<readonly string[]> => {
    service.resources.set(SYSTEM, { ...system, Actions: { '#ComputerSystem.Reset': { target: RESET, ...action } } });
    return (await holdBox(service)).verbs;
  };
  assert.deepEqual(await offering({ 'ResetType@Redfish.AllowableValues': ['PushPowerButton', 'ForceOn'] }), ['on', 'soft-off']);
  const info = '/redfish/v1/Systems/1/ResetActionInfo';
  service.resources.set(info, { Parameters: [{ Name: 'ResetType', AllowableValues: ['ForceOff'] }] });
  assert.deepEqual(await offering({ '@Redfish.ActionInfo': info }), ['hard-off']);
  assert.deepEqual(await offering({}), ['on', 'soft-off', 'hard-off', 'reset']);
});

test('a certificate is known by authority or by fingerprint; another one gets no word and no password (§16.5)', async () => {
  const [service, other] = [await serve(), await serve()];
  const fingerprint = trustOf({ url: service.url, user: 'operator', passwordFile: '', fingerprint: service.fingerprint });
  assert.ok(fingerprint);
  assert.equal((await holdBox(service, { trust: fingerprint })).source, 'redfish');
  const before = service.requests.length;
  const wrongAuthority = await failureOf(openRedfish(access(service, { trust: { authority: other.authority } })));
  assert.match(wrongAuthority.message, /certificate/);
  const wrongPrint = await failureOf(openRedfish(access(other, { trust: fingerprint })));
  assert.match(wrongPrint.message, new RegExp(`shows the certificate ${other.fingerprint.replaceAll(':', '').toLowerCase()}, not `));
  assert.equal(wrongPrint.reason, 'no-access');
  assert.deepEqual([service.requests.slice(before).filter((line) => line.startsWith('POST')), other.requests], [[], []]);
  assert.equal(trustOf({ url: '', user: '', passwordFile: '' }), undefined);
});

test('an expired session is made again, once; a wrong password says where the right one belongs (§16.5)', async () => {
  const service = await serve();
  const box = await holdBox(service);
  service.expireSessions();
  assert.equal((await box.sample())[0]?.quality, 'good');
  await writeFile(service.passwordFile, 'no longer right');
  service.expireSessions();
  const [reading] = await box.sample();
  assert.match(reading?.detail ?? '', /refuses the password of "operator"; write the right one into .*The user or password is wrong/);
  const asked = service.requests.length;
  await box.sample();
  assert.equal(service.requests.length, asked, 'it is left alone');
  const outcome = await box.power('on');
  assert.equal(outcome.status === 'failed' && outcome.reason, 'no-access');
});

test(
  'an answer that is too large, late, elsewhere, refused or no JSON object fails within its time, each with its words',
  { timeout: 60_000 },
  async () => {
    const service = await serve();
    const cases: [string, (response: Parameters<typeof say>[0]) => void, RegExp][] = [
      ['endless', (response) => void endless(response), /gives more than 1048576 bytes for/],
      ['silent', () => undefined, /did not answer GET .* within 2 s/],
      ['dripping', (response) => void drip(response), /did not answer GET .* within 2 s/],
      [
        'elsewhere',
        (response) => response.writeHead(302, { location: 'https://example.org/' }).end(),
        /with 302; redirections are not followed/,
      ],
      ['garbage', (response) => response.end('<html>'), /what is no JSON object/],
      ['a list', (response) => response.end('[]'), /must be an object/],
      ['a state of its own', (response) => say(response, 200, { PowerState: 'Maybe' }), /PowerState is "Maybe"/],
      ['broken off', (response) => response.destroy(), /can't be asked/],
      ['failing', (response) => say(response, 503, {}), /answers GET .* with 503/],
    ];
    const box = await holdBox(service);
    for (const [name, odd, expected] of cases) {
      service.odd.set(SYSTEM, odd);
      const begun = performance.now();
      const outcome = await box.power('on');
      assert.ok(outcome.status === 'failed', name);
      assert.match(outcome.detail, expected, name);
      assert.ok(performance.now() - begun < 10_000, name);
    }
    assert.equal(service.isOn, false);
    service.odd.clear();
    assert.deepEqual(await box.power('on'), { status: 'done' });
  },
);

test('links that lead out of the service are refused, and several systems want one named', async () => {
  const service = await serve();
  for (const path of ['https://example.org/redfish/v1/Systems/1', '/redfish/v1/../../etc', '/else', '//example.org/redfish/v1']) {
    service.resources.set('/redfish/v1/Systems', { Members: [{ '@odata.id': path }] });
    assert.match((await failureOf(openRedfish(access(service)))).message, /must be a path of this service/);
  }
  service.resources.set('/redfish/v1/Systems', { Members: [{ '@odata.id': '/redfish/v1/Systems/0' }, { '@odata.id': SYSTEM }] });
  assert.match((await failureOf(openRedfish(access(service)))).message, /2 systems \(0, 1\); say which one is the box by "system"/);
  assert.match((await failureOf(openRedfish(access(service, { system: '7' })))).message, /no system "7"; it has 0, 1/);
  assert.equal((await holdBox(service, { system: '1' })).source, 'redfish');
});

async function endless(response: Parameters<typeof say>[0]): Promise<void> {
  response.writeHead(200);
  while (!response.destroyed) {
    response.write(' '.repeat(65_536));
    await sleep(1);
  }
}

async function drip(response: Parameters<typeof say>[0]): Promise<void> {
  response.writeHead(200);
  while (!response.destroyed) {
    response.write(' ');
    await sleep(100);
  }
}

test('a BMC that takes connections and never speaks TLS holds no socket, by the end of a request or of the way to it (§16.5)', async () => {
  const held = new Set<Socket>();
  let taken = 0;
  const mute = createServer((socket) => {
    taken += 1;
    held.add(socket);
    socket.on('error', () => undefined).on('close', () => held.delete(socket));
    socket.resume();
  });
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  ends.push(async () => {
    for (const socket of held) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });
  const address = mute.address();
  assert.ok(typeof address === 'object' && address);
  const service = await serve();
  for (let tried = 0; tried < 3; tried += 1) {
    const request = access(service, { url: `https://127.0.0.1:${address.port}`, timeoutMs: 200 });
    assert.equal((await failureOf(openRedfish(request))).reason, 'no-answer');
  }
  for (let waited = 0; held.size > 0 && waited < 100; waited += 1) await sleep(20);
  assert.deepEqual([taken, held.size], [3, 0]);

  const connection = new RedfishConnection({ ...access(service), url: `https://127.0.0.1:${address.port}`, timeoutMs: 60_000 });
  const asked = failureOf(connection.get('/redfish/v1', 'anybody'));
  for (let waited = 0; held.size < 1 && waited < 100; waited += 1) await sleep(20);
  await connection.close();
  await asked;
  for (let waited = 0; held.size > 0 && waited < 100; waited += 1) await sleep(20);
  assert.deepEqual([taken, held.size], [4, 0]);
});
