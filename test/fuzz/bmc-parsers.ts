/** Fuzz targets of what a BMC says: output of ipmitool, resources of Redfish. Specification §16.5. */
import assert from 'node:assert/strict';
import { readChassisStatus, readDcmiPower, readSensors, WrongOutput } from '../../device/bmc/ipmi-output.ts';
import type { BmcValue } from '../../device/bmc/bmc.ts';
import { requirePath, resourceOf, WrongResource, type Resource } from '../../device/bmc/redfish-fields.ts';
import { allowedIn, chosenResets, powerStateOf, resetOf } from '../../device/bmc/redfish-power.ts';
import { SENSOR_RESOURCES, sensorsIn, type RedfishSensor } from '../../device/bmc/redfish-sensors.ts';
import { sensorNames } from '../../device/bmc/sensor-facts.ts';
import { hostileJson } from './doors.ts';
import type { FuzzTarget } from './tpm-parsers.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (given: Uint8Array): string => new TextDecoder().decode(given);

const sensorLines = [
  'Sys, Power,90,Watts,ok,7.1,System Board,Other,,,,500.000,460.000,440.000,,,,0.000,510.000\n',
  'CPU Temp,-21.5,degrees C,ok,7.1,System Board,Temperature,,,,,95.000,,,,,-128.000,127.000\nFan,,RPM,ns,7.1,x,Fan,,,,,,,,,,,\n',
];
const chassis = 'System Power         : on\nPower Overload       : false\nChassis Intrusion    : inactive\n';
const dcmi = '    Instantaneous power reading:      220 Watts\n    Power reading state is:    activated\n';
const item = { MemberId: '0', Name: 'CPU', Status: { State: 'Enabled' } };
const resources = [
  {
    '@odata.id': '/redfish/v1/S/1',
    Name: 'T',
    ReadingType: 'Temperature',
    ReadingUnits: 'Cel',
    Reading: 45.5,
    ReadingAccuracy: 1,
    Accuracy: 2,
  },
  { '@odata.id': '/redfish/v1/S/2', ReadingType: 'Power', Reading: 9, ReadingRangeMax: 20, Thresholds: { UpperCritical: { Reading: 19 } } },
  {
    PowerWatts: { Reading: 214.5 },
    EnergyJoules: { Reading: 1e6 },
    TemperatureReadingsCelsius: [{ Reading: 20, DeviceName: 'd', DataSourceUri: '/x' }],
  },
  { PowerControl: [{ ...item, PowerConsumedWatts: 344 }], Voltages: [{ ...item, ReadingVolts: 12, UpperThresholdCritical: 13 }] },
  { Temperatures: [{ ...item, ReadingCelsius: 41, MaxReadingRangeTemp: 200 }], Fans: [{ ...item, Reading: 9, ReadingUnits: 'RPM' }] },
].map((resource) => bytes(JSON.stringify(resource)));
const target = '/redfish/v1/Systems/1/Actions/ComputerSystem.Reset';
const systems = [
  { PowerState: 'On', Actions: { '#ComputerSystem.Reset': { target, 'ResetType@Redfish.AllowableValues': ['On', 'ForceOff'] } } },
  { PowerState: 'Off', Actions: { '#ComputerSystem.Reset': { target, '@Redfish.ActionInfo': '/redfish/v1/Info' } } },
  { Parameters: [{ Name: 'ResetType', AllowableValues: ['On'] }] },
].map((resource) => bytes(JSON.stringify(resource)));

export const bmcParsers: FuzzTarget[] = [
  { name: 'ipmitool sensors', seeds: sensorLines.map(bytes), run: readsSensors },
  { name: 'ipmitool chassis status', seeds: [bytes(chassis)], run: (given) => void printed(() => readChassisStatus(decode(given))) },
  { name: 'ipmitool DCMI power', seeds: [bytes(dcmi)], run: readsDcmi },
  { name: 'Redfish sensors', seeds: [...resources, ...hostileJson], run: readsResources },
  { name: 'Redfish system', seeds: [...systems, ...hostileJson], run: readsSystem },
  {
    name: 'Redfish path',
    seeds: [target, '/redfish/v1/', '/redfish/v1/a?$expand=.', '/redfish/v1/../x', '/redfish/v1/..?x'].map(bytes),
    run: readsPath,
  },
];

function printed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof WrongOutput, String(error));
    assert.ok(error.message.length > 0 && error.message.length < 1_000);
    return undefined;
  }
}

function readsSensors(given: Uint8Array): void {
  const sensors = printed(() => readSensors(decode(given))) ?? [];
  for (const { value } of sensors) requireValue(value);
  const names = sensorNames(sensors.map(({ name }) => name));
  assert.equal(new Set(names).size, sensors.length);
}

function readsDcmi(given: Uint8Array): void {
  const milliwatts = printed(() => readDcmiPower(decode(given)));
  if (milliwatts !== undefined) assert.ok(Number.isSafeInteger(milliwatts) && milliwatts >= 0);
}

function understood<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof WrongResource, String(error));
    return undefined;
  }
}

/** JSON that is none, the connection refuses. */
function resourceIn(given: Uint8Array): Resource | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(decode(given));
  } catch {
    return undefined;
  }
  return understood(() => resourceOf(raw, 'it'));
}

function readsResources(given: Uint8Array): void {
  const resource = resourceIn(given);
  if (!resource) return;
  for (const kind of SENSOR_RESOURCES) {
    const sensors: readonly RedfishSensor[] = understood(() => sensorsIn(kind, resource)) ?? [];
    for (const { key, value, accuracy, limits } of sensors) {
      requireValue(value);
      assert.ok(key.length > 0 && Number.isSafeInteger(accuracy.permille) && Number.isSafeInteger(accuracy.absolute));
      assert.ok((limits?.min ?? -Infinity) < (limits?.max ?? Infinity));
    }
  }
}

function readsSystem(given: Uint8Array): void {
  const resource = resourceIn(given);
  if (!resource) return;
  understood(() => powerStateOf(resource));
  const reset = understood(() => resetOf(resource));
  if (reset) understood(() => requirePath(reset.target, 'target'));
  const allowed = understood(() => allowedIn(resource));
  for (const word of chosenResets(allowed ?? []).values()) assert.ok(allowed?.includes(word));
}

/** Whatever passes stays on the service when it is made a URL. */
function readsPath(given: Uint8Array): void {
  const path = understood(() => requirePath(decode(given), 'it'));
  if (path === undefined) return;
  const url = new URL(path, 'https://bmc.example');
  assert.equal(url.origin, 'https://bmc.example');
  assert.equal(url.pathname + url.search, path);
}

function requireValue({ value, ...rest }: BmcValue): void {
  assert.ok(Number.isSafeInteger(value) && !Object.is(value, -0));
  if (rest.quality !== 'good') assert.ok(rest.detail.length > 0 && rest.detail.length < 1_000);
}
