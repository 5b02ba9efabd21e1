/**
 * Who this device is: its keys in the TPM, what it measured of itself, and what it can show and sign with them.
 * Specification §3. Private keys stay in the chip, but for the operational key, which stays in this folder.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { TimeCertificate } from '#protocol/chain/block.ts';
import { encodeVoucher, voucherQualifier } from '#protocol/chain/voucher.ts';
import { lowS } from '#protocol/chain/wait-certificate.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { encodeDeviceEvidence, evidenceQualifier, type EvidenceSubject } from '#protocol/evidence.ts';
import type { MeasuredEvent, Registers } from '#protocol/measured-boot.ts';
import { encodeMemberEvidence, memberEvidenceQualifier, type MemberEvidence } from '#protocol/member-evidence.ts';
import { decodeAttestOf } from '#protocol/tpm/attest.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { vrfEncodedMessage } from '#protocol/tpm/vrf.ts';

import { DEVICE_LIMITS } from '../limits.ts';
import { requireDecoded, sized } from '../tpm/answer.ts';
import { getTime, quote, type Attestation } from '../tpm/attestation.ts';
import { readClock } from '../tpm/clock.ts';
import { activateCredential, makeCredential, type Credential } from '../tpm/credential.ts';
import { hasTpmCode, isTpmError } from '../tpm/error.ts';
import { hierarchies } from '../tpm/handle.ts';
import { setPlatformAuthRandom } from '../tpm/hierarchy.ts';
import { keyHandles } from '../tpm/keys.ts';
import { rawRsaDecrypt } from '../tpm/raw-rsa.ts';
import { signWithRestrictedKey } from '../tpm/signing.ts';
import type { Tpm } from '../tpm/tpm.ts';
import { connectTpm } from './connect.ts';
import { fixedSignature } from './fixed-signature.ts';
import { IdentityRecord, openDeviceKeys, requireVrfKey, type DeviceKeys, type EnrolledVrfKey } from './device-keys.ts';
import { IdentityError } from './identity-error.ts';
import { measureBoot, type MeasuredBoot, type Measurements } from './measurement.ts';
import { measuredSelection } from './operational-key.ts';
import { StateError, StateFile } from './state-file.ts';

export interface IdentityRequest {
  /** Which TPM, in the words of tpm2-tss: `device:/dev/tpmrm0`, `swtpm:path=…`. */
  readonly tcti: string;
  /** Folder of the device's state; made where it is missing. */
  readonly folder: string;
  readonly measurements: Measurements;
  readonly crypto: Crypto;
}

/**
 * Opens the TPM, finds or makes the keys, measures what runs.
 * @throws IdentityError with a code where the chip isn't the remembered one or must be reset; TpmError where none answers
 */
export async function openIdentity(request: IdentityRequest): Promise<Identity> {
  await mkdir(request.folder, { recursive: true, mode: 0o700 });
  const file = new StateFile(join(request.folder, 'identity.cbor'), DEVICE_LIMITS.identityFileBytesMax);
  const tpm = await connectTpm(request.tcti);
  try {
    const remembered = await loadRecord(file);
    const keys = await openDeviceKeys(tpm, remembered);
    const record = remembered ?? { version: 1, node: keys.node, attestationKey: keys.attestationKey.publicArea };
    if (!remembered) await file.save(encodeStrict(IdentityRecord, record));
    if (record.vrfKey) await requireVrfKey(tpm, record.vrfKey);
    await lockPlatform(tpm);
    const boot = await measureBoot(
      tpm,
      new StateFile(join(request.folder, 'boot.cbor'), DEVICE_LIMITS.identityFileBytesMax),
      request.measurements,
    );
    return new Identity({ tpm, file, record, keys, boot, crypto: request.crypto });
  } catch (error) {
    await tpm.close().catch(() => undefined);
    throw error;
  }
}

interface Opened {
  readonly tpm: Tpm;
  readonly file: StateFile;
  readonly record: IdentityRecord;
  readonly keys: DeviceKeys;
  readonly boot: MeasuredBoot;
  readonly crypto: Crypto;
}

/** Its methods that ask the TPM reject with `ERR_TPM_LOST` when the connection broke: see `needsRestart`. */
export class Identity {
  readonly node: Uint8Array;
  readonly keys: DeviceKeys;
  readonly operationalKey: Uint8Array;
  readonly eventLog: readonly MeasuredEvent[];
  readonly registers: Registers;
  readonly resetCount: number;
  readonly #opened: Opened;
  #record: IdentityRecord;
  #closed: Promise<void> | undefined;

  constructor(opened: Opened) {
    const { keys, boot } = opened;
    this.node = keys.node;
    this.keys = keys;
    this.operationalKey = boot.operationalKey.publicKey;
    this.eventLog = boot.eventLog;
    this.registers = boot.registers;
    this.resetCount = boot.resetCount;
    this.#opened = opened;
    this.#record = opened.record;
  }

  /** The VRF key and the founding it was made for; undefined before enrolment (card.ts). */
  get vrfKey(): EnrolledVrfKey | undefined {
    return this.#record.vrfKey;
  }

  async rememberVrfKey(vrfKey: EnrolledVrfKey): Promise<void> {
    const record = { ...this.#record, vrfKey };
    await this.#opened.file.save(encodeStrict(IdentityRecord, record));
    this.#record = record;
  }

  /** Ed25519 by the operational key: 64 bytes. `Sign` of protocol/signed.ts. */
  sign(input: Uint8Array): Uint8Array {
    return this.#opened.boot.operationalKey.sign(input);
  }

  /** ECDSA P-256 with SHA-256 by the attestation key: r ‖ s, 64 bytes. @param input at most 1,024 bytes */
  async signWithAttestationKey(input: Uint8Array): Promise<Uint8Array> {
    return fixedSignature(await this.ask((tpm) => signWithRestrictedKey(tpm, { signer: keyHandles.attestationKey, message: input })));
  }

  /**
   * TPM2_GetTime as it stands in blocks (specification §12.3), to be judged with `judgeTimeCertificate`.
   * @param qualifier `startQualifier` or `endQualifier`, 32 bytes
   * @throws IdentityError `ERR_TPM_WAS_RESET` where the TPM lost what this program measured
   */
  async certifyTime(qualifier: Uint8Array): Promise<TimeCertificate> {
    const time = await this.ask((tpm) => getTime(tpm, { signer: keyHandles.attestationKey, qualifyingData: qualifier }));
    this.#requireSameBoot('time', time);
    return { attestation: time.attest, signature: lowS(fixedSignature(time.signature)) };
  }

  /**
   * The TPM's word for this boot's operational key: an encoded `Voucher` (§11.3).
   * @throws IdentityError `ERR_TPM_WAS_RESET` where the TPM lost what this program measured
   */
  async makeVoucher(network: Uint8Array): Promise<Uint8Array> {
    const { node, operationalKey, registers: pcrs, eventLog } = this;
    const qualifyingData = voucherQualifier(network, node, operationalKey);
    const quoted = await this.ask((tpm) => quote(tpm, { signer: keyHandles.attestationKey, qualifyingData, selection: measuredSelection }));
    this.#requireSameBoot('quote', quoted);
    return encodeVoucher({ node, operationalKey, quote: quoted.attest, quoteSignature: quoted.signature, pcrs, eventLog: [...eventLog] });
  }

  /**
   * Evidence of this boot for the chain: encoded `MemberEvidence` (§18.2).
   * @param network id. @param checkpoint the last certified one
   * @throws IdentityError `ERR_TPM_WAS_RESET` where the TPM lost what this program measured
   */
  async makeMemberEvidence(network: Uint8Array, checkpoint: MemberEvidence['checkpoint']): Promise<Uint8Array> {
    const { node, operationalKey, registers: pcrs, eventLog } = this;
    const qualifyingData = memberEvidenceQualifier(network, node, { checkpoint, operationalKey });
    const quoted = await this.ask((tpm) => quote(tpm, { signer: keyHandles.attestationKey, qualifyingData, selection: measuredSelection }));
    this.#requireSameBoot('quote', quoted);
    const { attest, signature: quoteSignature } = quoted;
    return encodeMemberEvidence({ checkpoint, operationalKey, quote: attest, quoteSignature, pcrs, eventLog: [...eventLog] });
  }

  /** Closes a secret (at most 32 bytes) for the chip that has both of these keys. @param endorsementKey TPMT_PUBLIC */
  async closeSecret(secret: Uint8Array, endorsementKey: Uint8Array, attestationKeyName: Uint8Array): Promise<Credential> {
    return this.ask((tpm) => makeCredential(tpm, { endorsementKey, name: attestationKeyName, credential: secret }));
  }

  /** @throws TpmError where it was closed for another chip or attestation key */
  async openSecret(closed: Credential): Promise<Uint8Array> {
    return this.ask((tpm) =>
      activateCredential(tpm, { endorsementKey: keyHandles.endorsementKey, key: keyHandles.attestationKey, credential: closed }),
    );
  }

  /**
   * Evidence about this device: encoded `DeviceEvidence`.
   * @param about.beacon signed by another member, whose value is `about.beaconValue`
   * @throws IdentityError `ERR_TPM_WAS_RESET` where the TPM lost what this program measured
   */
  async makeEvidence(about: {
    network: Uint8Array;
    beacon: Uint8Array;
    beaconValue: Uint8Array;
    credentials: readonly Uint8Array[];
  }): Promise<Uint8Array> {
    const subject: EvidenceSubject = {
      network: about.network,
      beaconValue: about.beaconValue,
      node: this.node,
      operationalKey: this.operationalKey,
    };
    const signer = keyHandles.attestationKey;
    const quoted = await this.ask((tpm) =>
      quote(tpm, { signer, qualifyingData: evidenceQualifier('evidence', subject), selection: measuredSelection }),
    );
    const time = await this.ask((tpm) => getTime(tpm, { signer, qualifyingData: evidenceQualifier('evidence-time', subject) }));
    this.#requireSameBoot('quote', quoted);
    this.#requireSameBoot('time', time);
    return encodeDeviceEvidence({
      node: this.node,
      endorsementKey: this.keys.endorsementKey.publicArea,
      attestationKey: this.keys.attestationKey.publicArea,
      credentials: [...about.credentials],
      beacon: about.beacon,
      operationalKey: this.operationalKey,
      quote: quoted.attest,
      quoteSignature: quoted.signature,
      pcrs: this.registers,
      eventLog: [...this.eventLog],
      time: time.attest,
      timeSignature: time.signature,
    });
  }

  /** RFC 9381 RSA-FDH-VRF-SHA256: the proof, 256 bytes; its output is `vrfOutput` of protocol/tpm/vrf.ts. */
  async proveVrf(alpha: Uint8Array): Promise<Uint8Array> {
    return this.applyVrfKey(vrfEncodedMessage(this.#opened.crypto, this.#vrfModulus(), alpha));
  }

  /** The raw operation of the VRF key on each number in turn. @param encoded 256 bytes, below the modulus */
  async applyVrfKey(encoded: Uint8Array): Promise<Uint8Array> {
    return this.ask((tpm) => rawRsaDecrypt(tpm, { key: keyHandles.vrfKey, encoded }));
  }

  /** Runs operations on the TPM; for this folder and for whoever shows the state of the TPM to its operator. */
  async ask<T>(operation: (tpm: Tpm) => Promise<T>): Promise<T> {
    try {
      return await operation(this.#opened.tpm);
    } catch (error) {
      if (!isTpmError(error) || !error.contextLost) throw error;
      throw new IdentityError(
        'ERR_TPM_LOST',
        `The connection to the TPM at ${this.#opened.tpm.tcti} broke; the device has to start anew`,
        error,
      );
    }
  }

  /**
   * Whether the TPM is there and was not reset since the start.
   * @throws IdentityError for which `needsRestart` holds
   */
  async checkTpm(): Promise<void> {
    const { clockInfo } = await this.ask((tpm) => readClock(tpm));
    this.#requireResetCount(clockInfo.resetCount);
  }

  /** Waits for what was begun, and gives the TPM free; a second call does nothing more. */
  async close(): Promise<void> {
    this.#closed ??= this.#opened.tpm.close();
    await this.#closed;
  }

  #vrfModulus(): Uint8Array {
    if (!this.vrfKey)
      throw new IdentityError('ERR_NOT_ENROLLED', 'This device has no VRF key yet: it gets one when its card for a network is made');
    const area = requireDecoded(PublicArea, this.vrfKey.publicArea);
    if (area.type !== 'rsa') throw new Error('The VRF key in identity.cbor is not an RSA key');
    return area.unique;
  }

  /** A TPM that was reset has no measurements: verifiers would refuse, and a restart of the program mends it. */
  #requireSameBoot(kind: 'quote' | 'time', { attest }: Attestation): void {
    const decoded = decodeAttestOf(kind, attest);
    if (decoded.status === 'malformed') throw new Error(`The TPM attested something malformed: ${decoded.detail}`);
    this.#requireResetCount(decoded.value.clockInfo.resetCount);
  }

  #requireResetCount(resetCount: number): void {
    if (resetCount === this.resetCount) return;
    throw new IdentityError(
      'ERR_TPM_WAS_RESET',
      `The TPM was reset (reset count ${resetCount} after ${this.resetCount}) while the device was running; it has to start anew and measure itself`,
    );
  }
}

async function loadRecord(file: StateFile): Promise<IdentityRecord | undefined> {
  const encoded = await file.load();
  if (!encoded) return undefined;
  const decoded = decodeStrict(IdentityRecord, encoded, encoded.length);
  if (decoded.status === 'malformed') throw new StateError(file.path, decoded.detail);
  return decoded.value;
}

/**
 * A program that restarts within one reset meets the value that its predecessor set and forgot: as good. ESYS would go
 * on using the value it has seen, so it is told to forget it too.
 */
async function lockPlatform(tpm: Tpm): Promise<void> {
  try {
    await setPlatformAuthRandom(tpm);
    await tpm.exclusive(({ esys }) => esys.TR_SetAuth(hierarchies.platform, sized(new Uint8Array())));
  } catch (error) {
    const locked = hasTpmCode(error, 'badAuthorisation') || hasTpmCode(error, 'authorisationFailed') || hasTpmCode(error, 'disabled');
    if (!locked) throw error;
  }
}
