/** What the chip says about itself: TPM2_GetCapability. TPM 2.0 Part 3 section 30.2; Part 2 sections 6.13 and 10.10. */
import { list, struct, structure, u32 } from '#protocol/tpm/wire.ts';

import { requireDecoded } from './answer.ts';
import { unauthorized } from './session.ts';
import type { Chip, Tpm } from './tpm.ts';

export interface TpmDescription {
  /** Four letters that TCG gave the vendor, without padding: `IFX`, `NTC`, `STM`, `IBM` (libtpms). */
  readonly manufacturer: string;
  /** Vendor's own text, at most 16 letters: `SLB9670`, `SW   TPM`. */
  readonly model: string;
  /** 64 bits as in attestations: the vendor's own reading of it differs. */
  readonly firmwareVersion: bigint;
  /** A program that plays a TPM: its keys and its time are worth what its host is worth. */
  readonly kind: 'chip' | 'software-tpm';
  readonly specificationRevision: string;
  readonly nvBufferBytesMax: number;
  readonly persistentFree: number;
  readonly lockout: { readonly failures: number; readonly failuresMax: number; readonly recoverySeconds: number };
  /** TPM2_Clear with the lockout authorisation is refused (TPMA_PERMANENT.disableClear). */
  readonly clearDisabled: boolean;
}

/** TPM_PT, Part 2 section 6.13. */
const properties = {
  revision: 0x102,
  manufacturer: 0x105,
  vendorString1: 0x106,
  firmwareVersion1: 0x10b,
  firmwareVersion2: 0x10c,
  nvBufferMax: 0x12c,
  permanent: 0x200,
  persistentAvailable: 0x209,
  lockoutCounter: 0x20e,
  maxAuthFail: 0x20f,
  lockoutInterval: 0x210,
} as const;

const capabilityTpmProperties = 6; // TPM_CAP_TPM_PROPERTIES
const propertiesMax = 127; // what fits a TPMS_CAPABILITY_DATA of 1,024 bytes
const disableClearBit = 0x100; // TPMA_PERMANENT.disableClear

const TaggedProperties = structure(
  'TPMS_CAPABILITY_DATA',
  1024 + 8,
  struct({
    capability: u32,
    properties: list(propertiesMax, struct({ property: u32, value: u32 })),
  }),
);

export async function describeTpm(tpm: Tpm): Promise<TpmDescription> {
  return tpm.exclusive(async (chip) =>
    description(new Map([...(await read(chip, 0x100, propertiesMax)), ...(await read(chip, 0x200, propertiesMax))])),
  );
}

/** One fixed or variable property. @throws Error where the chip has no such property */
export async function readProperty(chip: Chip, property: number): Promise<number> {
  return required(await read(chip, property, 1), property);
}

async function read({ esys }: Chip, property: number, count: number): Promise<Map<number, number>> {
  const [, bytes] = await esys.GetCapability(...unauthorized, capabilityTpmProperties, property, count);
  return new Map(requireDecoded(TaggedProperties, bytes).properties.map((tagged) => [tagged.property, tagged.value]));
}

function required(values: Map<number, number>, property: number): number {
  const value = values.get(property);
  if (value === undefined) throw new Error(`The TPM does not say its property 0x${property.toString(16)}`);
  return value;
}

function description(values: Map<number, number>): TpmDescription {
  const value = (name: keyof typeof properties): number => required(values, properties[name]);
  const manufacturer = letters(value('manufacturer'));
  const model = [0, 1, 2, 3]
    .map((part) => letters(values.get(properties.vendorString1 + part) ?? 0))
    .join('')
    .trim();
  return {
    manufacturer: manufacturer.trim(),
    model,
    firmwareVersion: (BigInt(value('firmwareVersion1')) << 32n) | BigInt(value('firmwareVersion2')),
    kind: isSoftware(manufacturer, model) ? 'software-tpm' : 'chip',
    specificationRevision: (value('revision') / 100).toFixed(2),
    nvBufferBytesMax: value('nvBufferMax'),
    persistentFree: value('persistentAvailable'),
    lockout: { failures: value('lockoutCounter'), failuresMax: value('maxAuthFail'), recoverySeconds: value('lockoutInterval') },
    clearDisabled: (value('permanent') & disableClearBit) !== 0,
  };
}

/** Four letters in a word; everything unprintable is dropped, since it comes from the chip. */
function letters(word: number): string {
  return [24, 16, 8, 0]
    .map((shift) => (word >>> shift) & 0xff)
    .filter((code) => code >= 0x20 && code < 0x7f)
    .map((code) => String.fromCharCode(code))
    .join('');
}

/** libtpms and the reference simulators; a chip by one of these makers would say another model. */
function isSoftware(manufacturer: string, model: string): boolean {
  return (
    manufacturer === 'IBM ' ||
    manufacturer === 'IBM' ||
    manufacturer === 'MSFT' ||
    manufacturer === 'XCG ' ||
    /^SW\b/.test(manufacturer) ||
    /^SW\b/.test(model)
  );
}
