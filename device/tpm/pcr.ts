/** Platform configuration registers. TPM 2.0 Part 3 section 22; which are ours: protocol/README.md. */
import { hashAlgorithm, type TpmHash } from '#protocol/tpm/algorithm.ts';
import { PcrSelection, pcrIndices, selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { list, sizedBytes, struct, structure, type ValueOf } from '#protocol/tpm/wire.ts';

import { requireDecoded, sized } from './answer.ts';
import { pcrHandle } from './handle.ts';
import { emptyPassword, unauthorized } from './session.ts';
import type { Chip, Tpm } from './tpm.ts';

/** A TPM answers with eight registers at a time (Part 2 section 10.9.5). */
const Digests = structure('TPML_DIGEST', 1024, list(8, sizedBytes(64)));

/**
 * Registers of one bank, by index. Those of a bank that the chip does not keep are not in the answer.
 * @param indices 0 to 23
 */
export async function pcrRead(tpm: Tpm, bank: TpmHash, indices: readonly number[]): Promise<Map<number, Uint8Array>> {
  return tpm.exclusive((chip) => readPcrs(chip, bank, indices));
}

/** TPM2_PCR_Extend: register = H(register ‖ digest). @param digest of the bank's length */
export async function pcrExtend(tpm: Tpm, index: number, bank: TpmHash, digest: Uint8Array): Promise<void> {
  await tpm.exclusive(async ({ esys }) => esys.PCR_Extend(pcrHandle(index), ...emptyPassword, digestValues(bank, digest)));
}

/** TPM2_PCR_Event: the chip itself hashes `event` for every bank it has. @param event at most 1,024 bytes */
export async function pcrEvent(tpm: Tpm, index: number, event: Uint8Array): Promise<void> {
  await tpm.exclusive(async ({ esys }) => esys.PCR_Event(pcrHandle(index), ...emptyPassword, sized(event)));
}

async function readPcrs(chip: Chip, bank: TpmHash, indices: readonly number[]): Promise<Map<number, Uint8Array>> {
  const values = new Map<number, Uint8Array>();
  let left = [...new Set(indices)];
  while (left.length > 0) {
    const [, selected, digests] = await chip.esys.PCR_Read(...unauthorized, PcrSelection.encode(selectPcrs(bank, left)));
    const answered = requireDecoded(PcrSelection, selected).flatMap(({ mask }) => pcrIndices(mask));
    const values8 = requireDecoded(Digests, digests);
    if (answered.length === 0 || answered.length !== values8.length) return values;
    answered.forEach((index, at) => values.set(index, (values8[at] ?? new Uint8Array()).slice()));
    left = left.filter((index) => !values.has(index));
  }
  return values;
}

type HashName = ValueOf<typeof hashAlgorithm>;

/** TPML_DIGEST_VALUES with one TPMT_HA, which carries its digest without a length (Part 2 section 10.9.6). */
function digestValues(bank: HashName, digest: Uint8Array): Uint8Array {
  const algorithm = structure('TPMI_ALG_HASH', 2, struct({ bank: hashAlgorithm })).encode({ bank });
  return new Uint8Array([0, 0, 0, 1, ...algorithm, ...digest]);
}
