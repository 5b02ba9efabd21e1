/**
 * Sessions: authorisation by policy, and encryption of what crosses the bus. TPM 2.0 Part 1 sections 17 to 19 and 21.
 *
 * A session that carries a secret is salted to the pinned key (Tpm.pinSaltKey) and encrypts the first parameter:
 * password and unsalted sessions show the secret to whoever reads the bus.
 */
import { none, password, hierarchies, type NoHandle, type SessionHandle } from './handle.ts';
import { withLoaded, type Chip } from './tpm.ts';
import type { Sessions } from './esys.ts';

/** TPMA_SESSION, Part 2 section 8.4. */
const continueSession = 0x01;
const decryptParameter = 0x20;
const encryptParameter = 0x40;

/** TPM_SE, Part 2 section 6.11. */
const sessionTypes = { hmac: 0x00, policy: 0x01, trial: 0x03 } as const;
type SessionType = keyof typeof sessionTypes;

const sha256 = 0x000b;
/** TPMT_SYM_DEF: AES-128 in CFB mode; none. */
const aes128Cfb = Uint8Array.of(0x00, 0x06, 0x00, 0x80, 0x00, 0x43);
const noCipher = Uint8Array.of(0x00, 0x10);

/** No authorisation at all. */
export const unauthorized = [none, none, none] satisfies Sessions;
/** One empty authorisation value. */
export const emptyPassword: Sessions = [password, none, none];
/** Two empty authorisation values. */
export const twoEmptyPasswords: Sessions = [password, password, none];

/** Which direction of the first parameter is a secret. */
export type Secret = 'in' | 'out' | 'both';

const attributes: Readonly<Record<Secret, number>> = {
  in: continueSession | decryptParameter,
  out: continueSession | encryptParameter,
  both: continueSession | decryptParameter | encryptParameter,
};

/** Runs `work` with a salted session that encrypts; it authorises nothing by itself unless the entity's value is empty. */
export async function withEncryption<T>(chip: Chip, secret: Secret, work: (session: SessionHandle) => Promise<T>): Promise<T> {
  const session = await start(chip, 'hmac', await chip.requireSaltKey());
  return withLoaded(chip, session, async () => {
    await chip.esys.TRSess_SetAttributes(session, attributes[secret], 0xff);
    return work(session);
  });
}

/** Runs `work` with a policy session that is salted and will encrypt from `encrypt` on. */
export async function withEncryptedPolicy<T>(
  chip: Chip,
  work: (session: SessionHandle, encrypt: (secret: Secret) => Promise<void>) => Promise<T>,
): Promise<T> {
  const session = await start(chip, 'policy', await chip.requireSaltKey());
  const encrypt = (secret: Secret): Promise<void> => chip.esys.TRSess_SetAttributes(session, attributes[secret], 0xff);
  return withLoaded(chip, session, async () => work(session, encrypt));
}

/** Runs `work` with the session that the policy of an endorsement key asks for (EK Credential Profile section B.6.2). */
export async function withEndorsementPolicy<T>(chip: Chip, work: (session: SessionHandle) => Promise<T>): Promise<T> {
  const session = await start(chip, 'policy', none);
  return withLoaded(chip, session, async () => {
    await authorizeByEndorsement(chip, session);
    return work(session);
  });
}

/** PolicySecret(endorsement): its authorisation value is empty on machines that nobody else administers. */
export async function authorizeByEndorsement(chip: Chip, session: SessionHandle): Promise<void> {
  await chip.esys.PolicySecret(hierarchies.endorsement, session, ...emptyPassword, null, null, null, 0);
}

/** Runs `work` with a session that computes the digest of a policy and authorises nothing. */
export async function withTrial<T>(chip: Chip, work: (session: SessionHandle) => Promise<T>): Promise<T> {
  return withLoaded(chip, await start(chip, 'trial', none), work);
}

async function start(
  chip: Chip,
  type: SessionType,
  saltKey: Parameters<typeof chip.esys.StartAuthSession>[0] | NoHandle,
): Promise<SessionHandle> {
  const cipher = saltKey === none ? noCipher : aes128Cfb;
  return chip.esys.StartAuthSession(saltKey, none, ...unauthorized, null, sessionTypes[type], cipher, sha256);
}
