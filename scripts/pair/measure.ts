/** `pair measure`: what a box may measure: shown, learned from its next measurements, frozen. Specification §6.5. */
import { decodeStrict } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { freeze, newReferenceValues } from '#protocol/measured-box/learning.ts';
import type { ReferenceValues, RegisterRule } from '#protocol/measured-box/reference-values.ts';
import { hex } from '#protocol/digest.ts';
import { ActivatedKeys, endorsementDigest } from '../../device/hpc/box-standing.ts';
import { ReferenceFiles, referencesDigest } from '../../device/hpc/reference-file.ts';
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { openStore } from '../../device/store/store.ts';
import { join } from 'node:path';
import { commandOf, nearestAdvice, UsageError } from '../arguments.ts';
import { harmless, openTerminal, table, type Terminal } from '../terminal.ts';
import { chooseDevice, defaultState, deviceOption, PairFailure, stateOption, type DeviceFolder } from './device-folder.ts';

export const measure = commandOf(
  {
    name: 'measure',
    summary: 'Shows what a box with a TPM may measure; learns it from what the box measures next; freezes what was learned.',
    operands: ['BOX'],
    options: {
      state: stateOption,
      device: deviceOption,
      learn: { help: 'take what the box measures from now on for known, until it is frozen' },
      files: { help: 'with --learn: the files that IMA measures too, not only firmware, loader and kernel' },
      freeze: { help: 'from now on refuse whatever differs from what was learned' },
    },
    notes:
      'A device that runs follows at the next measurement. Learn while you know the box to be as it should: what is wrong now will be known.\nA violation in the log of IMA binds no file, so it is never learned, and with --files refused once frozen: let IMA measure programs, libraries and modules.\nA box uses /dev/tpmrm0, or the TPM that tpm.json in its state folder names: {"tcti":"device:/dev/tpmrm0"}.',
  },
  ({ operands, options }) => {
    const [box = ''] = operands;
    if (options.learn && options.freeze)
      throw new UsageError('--learn and --freeze are two steps: learn, run a capsule on the box, freeze');
    const device = chooseDevice(options.state ?? defaultState, options.device);
    requireBox(device, box);
    const references = new ReferenceFiles(device.folder);
    const terminal = openTerminal(process.stdout, process.env);
    if (options.learn) references.write(box, learning(device, box, references.read(box), options.files));
    if (options.freeze) references.write(box, frozen(box, references.read(box)));
    show(terminal, box, references);
    return Promise.resolve(0);
  },
);

function requireBox(device: DeviceFolder, box: string): void {
  const names = new PairedNames(device.folder).paired('box').map(({ name }) => name);
  if (!names.includes(box)) throw new PairFailure(`no box "${box}" is paired with device ${device.name}; ${nearestAdvice(box, names)}`);
}

/** What was known stays known, so that a second boot can be learned beside the first; of another TPM nothing does. */
function learning(device: DeviceFolder, box: string, known: ReferenceValues | undefined, files: boolean): ReferenceValues {
  const fresh = newReferenceValues(endorsementOf(device, box), files ? 'listed' : 'any');
  if (!known || hex(known.endorsementKey) !== hex(fresh.endorsementKey)) return fresh;
  return { ...known, stage: 'learning', files: files && known.files.rule === 'any' ? fresh.files : known.files };
}

function frozen(box: string, known: ReferenceValues | undefined): ReferenceValues {
  if (!known || known.registers.length === 0)
    throw new PairFailure(`nothing was learned of ${box} yet: npm run pair -- measure ${box} --learn, then run a capsule on it`);
  return freeze(known);
}

/** The TPM that the device has activated: of no other are reference values worth anything. */
function endorsementOf(device: DeviceFolder, box: string): Uint8Array {
  const store = openStore(join(device.folder, 'device.sqlite'));
  try {
    const memory = store.memory(`box-tpm/${box}`);
    const decoded = memory && decodeStrict(ActivatedKeys, memory, LIMITS.signedBytesMax);
    if (decoded?.status !== 'decoded')
      throw new PairFailure(`device ${device.name} has not activated a TPM of ${box}: the box has none, or was not measured yet`);
    return endorsementDigest(decoded.value.keys);
  } finally {
    store.close();
  }
}

function show(terminal: Terminal, box: string, files: ReferenceFiles): void {
  const references = files.read(box);
  if (!references)
    return terminal.line(`Nothing is known of what ${box} may measure, so it is self-reported: npm run pair -- measure ${box} --learn`);
  const rows = references.registers.map(({ pcr, known }) => [`PCR ${pcr}`, ruleText(known)]);
  const fileText = references.files.rule === 'any' ? 'any file' : `${references.files.files.length} files`;
  terminal.line(
    table([
      ['box', box],
      ['stage', references.stage === 'frozen' ? 'frozen: what differs is refused' : 'learning: what the box measures next becomes known'],
      ['TPM', hex(references.endorsementKey).slice(0, 16)],
      ['reference values', `${hex(referencesDigest(references)).slice(0, 16)} in ${files.file(box)}`],
      ...rows,
      ['files (PCR 10)', fileText],
    ]),
  );
}

function ruleText(rule: RegisterRule): string {
  switch (rule.rule) {
    case 'any':
      return 'anything that the log explains';
    case 'values':
      return `${rule.values.length} known values`;
    case 'frozen': {
      const [first = []] = rule.alternatives;
      const names = first.map(({ type, name }) => (name === '' ? type.replace(/^EV_(EFI_)?/, '').toLowerCase() : harmless(name)));
      const others = rule.alternatives.length > 1 ? `; ${rule.alternatives.length - 1} other boots` : '';
      return `${first.length} events${names.length === 0 ? '' : `: ${names.slice(0, 4).join(', ')}${names.length > 4 ? ', …' : ''}`}${others}`;
    }
  }
}
