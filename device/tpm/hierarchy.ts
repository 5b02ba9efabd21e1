/**
 * Who rules the chip: authorisation of the platform, Clear, shutdown. TPM 2.0 Part 3 sections 9 and 24; Part 1 section 13.
 */
import { randomBytes } from 'node:crypto';

import { sized } from './answer.ts';
import { hasTpmCode } from './error.ts';
import { hierarchies, none, password } from './handle.ts';
import { emptyPassword, unauthorized, withEncryption } from './session.ts';
import type { Chip, Tpm } from './tpm.ts';

const startupClear = 0x0000; // TPM_SU_CLEAR
const authorisationBytes = 32;

/**
 * Gives the platform hierarchy a random authorisation value and forgets it: until the next reset nobody can use it.
 * On a Raspberry Pi no firmware does so. The value reaches the chip encrypted.
 * @returns 'set-before' where it has a value that nobody here knows: from an earlier start, or from a PC's firmware
 */
export async function setPlatformAuthRandom(tpm: Tpm): Promise<'set' | 'set-before'> {
  const value = new Uint8Array(randomBytes(authorisationBytes));
  try {
    await tpm.exclusive((chip) => changePlatformAuth(chip, value));
    return 'set';
  } catch (error) {
    if (hasTpmCode(error, 'badAuthorisation')) return 'set-before';
    throw error;
  } finally {
    value.fill(0);
  }
}

/** TPM2_Clear: every key of owner and endorsement hierarchy is void, except the endorsement primary keys themselves. */
export async function clearTpm(tpm: Tpm, by: 'lockout' | 'platform'): Promise<void> {
  await tpm.exclusive(async ({ esys }) => esys.Clear(hierarchies[by], ...emptyPassword));
}

/** TPM2_ClearControl: whether TPM2_Clear by the owner's side is refused from now on. */
export async function setClearDisabled(tpm: Tpm, disabled: boolean): Promise<void> {
  await tpm.exclusive(async ({ esys }) =>
    esys.ClearControl(hierarchies[disabled ? 'lockout' : 'platform'], ...emptyPassword, disabled ? 1 : 0),
  );
}

/** TPM2_DictionaryAttackLockReset: forgets failed authorisations. */
export async function resetLockout(tpm: Tpm): Promise<void> {
  await tpm.exclusive(async ({ esys }) => esys.DictionaryAttackLockReset(hierarchies.lockout, ...emptyPassword));
}

/** TPM2_Shutdown(CLEAR): before the power of a software TPM is cut; for a chip the kernel does it. */
export async function shutdownTpm(tpm: Tpm): Promise<void> {
  await tpm.exclusive(async ({ esys }) => esys.Shutdown(...unauthorized, startupClear));
}

/** ESYS remembers a value that it has set, which nobody shall. */
async function changePlatformAuth(chip: Chip, value: Uint8Array): Promise<void> {
  await withEncryption(chip, 'in', (session) => chip.esys.HierarchyChangeAuth(hierarchies.platform, password, session, none, sized(value)));
  await chip.esys.TR_SetAuth(hierarchies.platform, sized(new Uint8Array()));
}
