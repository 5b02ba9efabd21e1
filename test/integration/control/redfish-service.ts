/**
 * A Redfish service over TLS for tests, written from DSP0266 and DSP2046 without any code of ours: a correct one, and the same
 * one slow, lying, too large, or with sessions that expire. Certificates by openssl, in a temporary folder. Specification §16.5.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Json = Record<string, unknown>;

export interface RedfishService {
  readonly url: string;
  readonly user: 'operator';
  readonly passwordFile: string;
  /** PEM file of whoever signed the certificate. */
  readonly authority: string;
  readonly fingerprint: string;
  /** Resources by their paths: a test changes what it likes. */
  readonly resources: Map<string, Json>;
  /** `METHOD path` of every request, in order. */
  readonly requests: string[];
  /** Answers for paths that come before everything else. */
  readonly odd: Map<string, (response: ServerResponse) => void>;
  isOn: boolean;
  /** Sessions that are open now. */
  sessions(): number;
  expireSessions(): void;
  stop(): Promise<void>;
}

export const PASSWORD = 'a rather longer secret, with spaces';
export const SYSTEM = '/redfish/v1/Systems/1';
export const CHASSIS = '/redfish/v1/Chassis/1';
export const RESET = `${SYSTEM}/Actions/ComputerSystem.Reset`;
const SESSIONS = '/redfish/v1/SessionService/Sessions';

/** `modern`: Sensors and EnvironmentMetrics, expanded on request; `former`: Power and Thermal. */
export async function startRedfishService(kind: 'modern' | 'former'): Promise<RedfishService> {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-redfish-'));
  const certificate = makeCertificates(folder);
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
  const tokens = new Map<string, string>();
  const server = createServer({ key: readFileSync(join(folder, 'bmc.key')), cert: certificate });
  const service: Omit<RedfishService, 'url'> = {
    user: 'operator',
    passwordFile,
    authority: join(folder, 'authority.crt'),
    fingerprint: new X509Certificate(certificate).fingerprint256,
    resources: resourcesOf(kind),
    requests: [],
    odd: new Map(),
    isOn: false,
    sessions: () => tokens.size,
    expireSessions: () => tokens.clear(),
    stop: async () => {
      await stopServer(server);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(service, tokens, request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(service, { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

async function answer(
  service: Omit<RedfishService, 'url'>,
  tokens: Map<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '', url = '' } = request;
  const [path = '', query] = url.split('?');
  service.requests.push(`${method} ${url}`);
  const body = await bodyOf(request);
  const odd = service.odd.get(path);
  if (odd) return odd(response);
  if (method === 'POST' && path === SESSIONS) return logIn(tokens, body, response);
  const isRoot = path === '/redfish/v1/';
  const token = String(request.headers['x-auth-token']);
  if (!isRoot && !tokens.has(token)) return say(response, 401, errorOf('There is no valid session.'));
  if (method === 'DELETE') {
    tokens.delete(token);
    return say(response, 204);
  }
  if (method === 'POST' && path === RESET) return reset(service, body, response);
  const found = service.resources.get(path);
  if (method !== 'GET' || !found) return say(response, 404, errorOf(`There is no ${method} ${path}.`));
  if (path === SYSTEM) return say(response, 200, { ...found, PowerState: service.isOn ? 'On' : 'Off' });
  return say(response, 200, query === '$expand=.' ? expanded(service, found) : found);
}

function logIn(tokens: Map<string, string>, body: Json, response: ServerResponse): void {
  if (body['UserName'] !== 'operator' || body['Password'] !== PASSWORD)
    return say(response, 401, errorOf('The user or password is wrong.'));
  const token = randomUUID();
  tokens.set(token, 'operator');
  response.setHeader('X-Auth-Token', token);
  response.setHeader('Location', `${SESSIONS}/${tokens.size}`);
  return say(response, 201, { '@odata.id': `${SESSIONS}/${tokens.size}` });
}

function reset(service: Omit<RedfishService, 'url'>, body: Json, response: ServerResponse): void {
  const after: Readonly<Record<string, boolean>> = { On: true, ForceOff: false, GracefulShutdown: false, ForceRestart: true };
  const state = after[String(body['ResetType'])];
  if (state === undefined) return say(response, 400, errorOf(`ResetType ${String(body['ResetType'])} is not supported.`));
  service.isOn = state;
  return say(response, 204);
}

function expanded(service: Omit<RedfishService, 'url'>, collection: Json): Json {
  const members = collection['Members'] as Json[];
  return { ...collection, Members: members.map((member) => service.resources.get(String(member['@odata.id'])) ?? member) };
}

export function say(response: ServerResponse, status: number, body?: Json): void {
  response.writeHead(status, { 'content-type': 'application/json', 'odata-version': '4.0' });
  response.end(body && JSON.stringify(body));
}

function errorOf(message: string): Json {
  return { error: { code: 'Base.1.0.GeneralError', message: 'See ExtendedInfo.', '@Message.ExtendedInfo': [{ Message: message }] } };
}

async function bodyOf(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Json);
}

async function stopServer(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

const link = (path: string): Json => ({ '@odata.id': path });

function resourcesOf(kind: 'modern' | 'former'): Map<string, Json> {
  return new Map<string, Json>([
    [
      '/redfish/v1/',
      {
        RedfishVersion: '1.15.0',
        ProtocolFeaturesSupported: { ExpandQuery: { NoLinks: true, MaxLevels: 1 } },
        Systems: link('/redfish/v1/Systems'),
        Chassis: link('/redfish/v1/Chassis'),
        Links: { Sessions: link(SESSIONS) },
      },
    ],
    ['/redfish/v1/Systems', { Members: [link(SYSTEM)], 'Members@odata.count': 1 }],
    [SYSTEM, systemResource()],
    [CHASSIS, { Id: '1', PhysicalSecurity: { IntrusionSensor: 'Normal' }, ...(kind === 'modern' ? modernLinks : formerLinks) }],
    ...(kind === 'modern' ? modernSensors() : formerSensors()),
  ]);
}

function systemResource(): Json {
  const allowed = ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart', 'Nmi'];
  return {
    '@odata.id': SYSTEM,
    Id: '1',
    Links: { Chassis: [link(CHASSIS)] },
    Actions: { '#ComputerSystem.Reset': { target: RESET, 'ResetType@Redfish.AllowableValues': allowed } },
  };
}

const modernLinks = { EnvironmentMetrics: link(`${CHASSIS}/EnvironmentMetrics`), Sensors: link(`${CHASSIS}/Sensors`) };
const formerLinks = { Power: link(`${CHASSIS}/Power`), Thermal: link(`${CHASSIS}/Thermal`) };

function modernSensors(): [string, Json][] {
  const sensor = (id: string, more: Json): [string, Json] => [
    `${CHASSIS}/Sensors/${id}`,
    { '@odata.id': `${CHASSIS}/Sensors/${id}`, Id: id, Status: { State: 'Enabled' }, ...more },
  ];
  const sensors = [
    sensor('CPU', {
      Name: 'CPU Temp',
      ReadingType: 'Temperature',
      ReadingUnits: 'Cel',
      Reading: 45.5,
      ReadingRangeMax: 125,
      ReadingAccuracy: 1.5,
      Thresholds: { UpperCritical: { Reading: 95 } },
    }),
    sensor('Fan1', { Name: 'Fan 1', ReadingType: 'Rotational', ReadingUnits: '{rev}/min', Reading: 5_400 }),
    sensor('P12V', { Name: 'P12V', ReadingType: 'Voltage', ReadingUnits: 'V', Reading: 12.09, Accuracy: 1 }),
    sensor('FanDuty', { Name: 'Fan duty', ReadingType: 'Percent', ReadingUnits: '%', Reading: 40 }),
    sensor('Inlet', { Name: 'CPU Temp', ReadingType: 'Temperature', ReadingUnits: 'Cel', Reading: null, Status: { State: 'Disabled' } }),
  ];
  return [
    [`${CHASSIS}/EnvironmentMetrics`, { PowerWatts: { Reading: 214.5 }, EnergyJoules: { Reading: 1_000.25 } }],
    [`${CHASSIS}/Sensors`, { Members: sensors.map(([path]) => link(path)) }],
    ...sensors,
  ];
}

function formerSensors(): [string, Json][] {
  return [
    [
      `${CHASSIS}/Power`,
      {
        PowerControl: [{ MemberId: '0', Name: 'Server Power Control', PowerConsumedWatts: 344 }],
        Voltages: [{ MemberId: '0', Name: 'VRM1', ReadingVolts: 12.01, UpperThresholdCritical: 12.6, LowerThresholdCritical: 11.4 }],
      },
    ],
    [
      `${CHASSIS}/Thermal`,
      {
        Temperatures: [
          {
            MemberId: '0',
            Name: 'CPU1 Temp',
            ReadingCelsius: 41,
            UpperThresholdCritical: 90,
            MinReadingRangeTemp: 0,
            MaxReadingRangeTemp: 200,
          },
          { MemberId: '1', Name: 'CPU2 Temp', ReadingCelsius: null, Status: { State: 'Absent' } },
        ],
        Fans: [
          { MemberId: '0', Name: 'Fan1', Reading: 2_100, ReadingUnits: 'RPM' },
          { MemberId: '1', Name: 'Fan2', Reading: 35, ReadingUnits: 'Percent' },
        ],
      },
    ],
  ];
}

/** @returns the certificate of the service; the authority's is in `authority.crt` */
function makeCertificates(folder: string): string {
  const file = (name: string): string => join(folder, name);
  const openssl = (...words: string[]): void => void execFileSync('openssl', words, { stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', file('authority.key'), '-out', file('authority.crt'), '-subj', '/CN=Site', '-days', '2');
  openssl('req', ...key, '-keyout', file('bmc.key'), '-out', file('bmc.csr'), '-subj', '/CN=bmc');
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1\n');
  const signing = [
    '-CA',
    file('authority.crt'),
    '-CAkey',
    file('authority.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    file('names'),
  ];
  openssl('x509', '-req', '-in', file('bmc.csr'), '-out', file('bmc.crt'), ...signing);
  return readFileSync(file('bmc.crt'), 'utf8');
}
