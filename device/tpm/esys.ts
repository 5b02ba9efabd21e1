/**
 * The raw binding: one method a TPM command, as in the TSS 2.0 Enhanced System API (tss2_esys.h), derived by the addon
 * from the C prototypes. Structures are TPM wire bytes, sized ones (TPM2B_…) with their two length bytes.
 *
 * Calls of one context run in order, off the event loop. A failed call rejects with a TpmError (error.ts).
 * Everything but device/tpm uses the wrappers beside this file instead.
 */
import type {
  Authorization,
  AuthorityHandle,
  HierarchyHandle,
  KeyHandle,
  NoHandle,
  NvHandle,
  OpenHandle,
  PcrHandle,
  SessionHandle,
} from './handle.ts';

/** Bytes of the TPM structure with that name in TPM 2.0 Part 2. */
export type Wire<Name extends string> = Uint8Array & { readonly structure?: Name };

/** The three session slots of every command: authorisations first, then encryption and audit. */
export type Sessions = [session1: Authorization, session2: Authorization, session3: Authorization];

/** Where nothing is authorised: a session that encrypts or audits, or none; never the password. */
export type EncryptingSession = SessionHandle | NoHandle;

export interface Esys {
  /** Flushes what this context has left in the chip and closes it; every later call is refused. */
  close(): Promise<void>;

  // Handles and sessions: ESAPI; Part 3 sections 11 and 28
  /** A handle for something that is in the chip already: a persistent key, an NV index. */
  TR_FromTPMPublic(
    ...call: [tpmHandle: number, ...sessions: [EncryptingSession, EncryptingSession, EncryptingSession]]
  ): Promise<KeyHandle | NvHandle>;
  /** Forgets a handle without telling the chip. */
  TR_Close(handle: OpenHandle): Promise<void>;
  /** The authorisation value that later commands prove or show for `handle`. */
  TR_SetAuth(handle: AuthorityHandle, authValue: Wire<'TPM2B_DIGEST'>): Promise<void>;
  /** Name as ESYS computed it from the public area it was shown. */
  TR_GetName(handle: AuthorityHandle): Promise<Wire<'TPM2B_NAME'>>;
  TRSess_GetAttributes(session: SessionHandle): Promise<number>;
  TRSess_SetAttributes(session: SessionHandle, flags: number, mask: number): Promise<void>;
  TRSess_GetNonceTPM(session: SessionHandle): Promise<Wire<'TPM2B_DIGEST'>>;
  StartAuthSession(
    ...call: [
      tpmKey: KeyHandle | NoHandle,
      bind: AuthorityHandle | NoHandle,
      ...sessions: Sessions,
      nonceCaller: Wire<'TPM2B_DIGEST'> | null,
      sessionType: number,
      symmetric: Wire<'TPMT_SYM_DEF'>,
      authHash: number,
    ]
  ): Promise<SessionHandle>;
  PolicyRestart(...call: [sessionHandle: SessionHandle, ...sessions: Sessions]): Promise<void>;
  FlushContext(flushHandle: OpenHandle): Promise<void>;

  // The chip: Part 3 sections 9, 10, 24, 25, 30
  Startup(startupType: number): Promise<void>;
  Shutdown(...call: [...sessions: Sessions, shutdownType: number]): Promise<void>;
  SelfTest(...call: [...sessions: Sessions, fullTest: number]): Promise<void>;
  GetCapability(
    ...call: [...sessions: Sessions, capability: number, property: number, propertyCount: number]
  ): Promise<[moreData: number, capabilityData: Wire<'TPMS_CAPABILITY_DATA'>]>;
  GetRandom(...call: [...sessions: Sessions, bytesRequested: number]): Promise<Wire<'TPM2B_DIGEST'>>;
  Clear(...call: [authHandle: HierarchyHandle, ...sessions: Sessions]): Promise<void>;
  ClearControl(...call: [auth: HierarchyHandle, ...sessions: Sessions, disable: number]): Promise<void>;
  HierarchyChangeAuth(...call: [authHandle: HierarchyHandle, ...sessions: Sessions, newAuth: Wire<'TPM2B_DIGEST'>]): Promise<void>;
  DictionaryAttackLockReset(...call: [lockHandle: HierarchyHandle, ...sessions: Sessions]): Promise<void>;
  DictionaryAttackParameters(
    ...call: [lockHandle: HierarchyHandle, ...sessions: Sessions, newMaxTries: number, newRecoveryTime: number, lockoutRecovery: number]
  ): Promise<void>;

  // Time: Part 3 section 29
  ReadClock(...sessions: Sessions): Promise<Wire<'TPMS_TIME_INFO'>>;
  ClockSet(...call: [auth: HierarchyHandle, ...sessions: Sessions, newTime: bigint]): Promise<void>;
  ClockRateAdjust(...call: [auth: HierarchyHandle, ...sessions: Sessions, rateAdjust: number]): Promise<void>;

  // Keys and sealed objects: Part 3 sections 12, 24.1, 28.5
  CreatePrimary(
    ...call: [
      primaryHandle: HierarchyHandle,
      ...sessions: Sessions,
      inSensitive: Wire<'TPM2B_SENSITIVE_CREATE'>,
      inPublic: Wire<'TPM2B_PUBLIC'>,
      outsideInfo: Wire<'TPM2B_DATA'>,
      creationPCR: Wire<'TPML_PCR_SELECTION'>,
    ]
  ): Promise<
    [
      objectHandle: KeyHandle,
      outPublic: Wire<'TPM2B_PUBLIC'>,
      creationData: Wire<'TPM2B_CREATION_DATA'>,
      creationHash: Wire<'TPM2B_DIGEST'>,
      creationTicket: Wire<'TPMT_TK_CREATION'>,
    ]
  >;
  Create(
    ...call: [
      parentHandle: KeyHandle,
      ...sessions: Sessions,
      inSensitive: Wire<'TPM2B_SENSITIVE_CREATE'>,
      inPublic: Wire<'TPM2B_PUBLIC'>,
      outsideInfo: Wire<'TPM2B_DATA'>,
      creationPCR: Wire<'TPML_PCR_SELECTION'>,
    ]
  ): Promise<
    [
      outPrivate: Wire<'TPM2B_PRIVATE'>,
      outPublic: Wire<'TPM2B_PUBLIC'>,
      creationData: Wire<'TPM2B_CREATION_DATA'>,
      creationHash: Wire<'TPM2B_DIGEST'>,
      creationTicket: Wire<'TPMT_TK_CREATION'>,
    ]
  >;
  Load(
    ...call: [parentHandle: KeyHandle, ...sessions: Sessions, inPrivate: Wire<'TPM2B_PRIVATE'>, inPublic: Wire<'TPM2B_PUBLIC'>]
  ): Promise<KeyHandle>;
  LoadExternal(
    ...call: [...sessions: Sessions, inPrivate: Wire<'TPM2B_SENSITIVE'> | null, inPublic: Wire<'TPM2B_PUBLIC'>, hierarchy: HierarchyHandle]
  ): Promise<KeyHandle>;
  ReadPublic(
    ...call: [objectHandle: KeyHandle, ...sessions: Sessions]
  ): Promise<[outPublic: Wire<'TPM2B_PUBLIC'>, name: Wire<'TPM2B_NAME'>, qualifiedName: Wire<'TPM2B_NAME'>]>;
  EvictControl(
    ...call: [auth: HierarchyHandle, objectHandle: KeyHandle, ...sessions: Sessions, persistentHandle: number]
  ): Promise<KeyHandle | NoHandle>;
  MakeCredential(
    ...call: [handle: KeyHandle, ...sessions: Sessions, credential: Wire<'TPM2B_DIGEST'>, objectName: Wire<'TPM2B_NAME'>]
  ): Promise<[credentialBlob: Wire<'TPM2B_ID_OBJECT'>, secret: Wire<'TPM2B_ENCRYPTED_SECRET'>]>;
  ActivateCredential(
    ...call: [
      activateHandle: KeyHandle,
      keyHandle: KeyHandle,
      ...sessions: Sessions,
      credentialBlob: Wire<'TPM2B_ID_OBJECT'>,
      secret: Wire<'TPM2B_ENCRYPTED_SECRET'>,
    ]
  ): Promise<Wire<'TPM2B_DIGEST'>>;
  Unseal(...call: [itemHandle: KeyHandle, ...sessions: Sessions]): Promise<Wire<'TPM2B_SENSITIVE_DATA'>>;

  // Cryptography: Part 3 sections 14, 15, 20
  Sign(
    ...call: [
      keyHandle: KeyHandle,
      ...sessions: Sessions,
      digest: Wire<'TPM2B_DIGEST'>,
      inScheme: Wire<'TPMT_SIG_SCHEME'>,
      validation: Wire<'TPMT_TK_HASHCHECK'>,
    ]
  ): Promise<Wire<'TPMT_SIGNATURE'>>;
  VerifySignature(
    ...call: [keyHandle: KeyHandle, ...sessions: Sessions, digest: Wire<'TPM2B_DIGEST'>, signature: Wire<'TPMT_SIGNATURE'>]
  ): Promise<Wire<'TPMT_TK_VERIFIED'>>;
  RSA_Encrypt(
    ...call: [
      keyHandle: KeyHandle,
      ...sessions: Sessions,
      message: Wire<'TPM2B_PUBLIC_KEY_RSA'>,
      inScheme: Wire<'TPMT_RSA_DECRYPT'>,
      label: Wire<'TPM2B_DATA'>,
    ]
  ): Promise<Wire<'TPM2B_PUBLIC_KEY_RSA'>>;
  RSA_Decrypt(
    ...call: [
      keyHandle: KeyHandle,
      ...sessions: Sessions,
      cipherText: Wire<'TPM2B_PUBLIC_KEY_RSA'>,
      inScheme: Wire<'TPMT_RSA_DECRYPT'>,
      label: Wire<'TPM2B_DATA'>,
    ]
  ): Promise<Wire<'TPM2B_PUBLIC_KEY_RSA'>>;
  ECDH_KeyGen(
    ...call: [keyHandle: KeyHandle, ...sessions: Sessions]
  ): Promise<[zPoint: Wire<'TPM2B_ECC_POINT'>, pubPoint: Wire<'TPM2B_ECC_POINT'>]>;
  ECDH_ZGen(...call: [keyHandle: KeyHandle, ...sessions: Sessions, inPoint: Wire<'TPM2B_ECC_POINT'>]): Promise<Wire<'TPM2B_ECC_POINT'>>;
  Hash(
    ...call: [...sessions: Sessions, data: Wire<'TPM2B_MAX_BUFFER'>, hashAlg: number, hierarchy: HierarchyHandle]
  ): Promise<[outHash: Wire<'TPM2B_DIGEST'>, validation: Wire<'TPMT_TK_HASHCHECK'>]>;

  // Measurement and attestation: Part 3 sections 18, 22
  PCR_Extend(...call: [pcrHandle: PcrHandle, ...sessions: Sessions, digests: Wire<'TPML_DIGEST_VALUES'>]): Promise<void>;
  PCR_Event(...call: [pcrHandle: PcrHandle, ...sessions: Sessions, eventData: Wire<'TPM2B_EVENT'>]): Promise<Wire<'TPML_DIGEST_VALUES'>>;
  PCR_Read(
    ...call: [...sessions: Sessions, selection: Wire<'TPML_PCR_SELECTION'>]
  ): Promise<[pcrUpdateCounter: number, pcrSelectionOut: Wire<'TPML_PCR_SELECTION'>, pcrValues: Wire<'TPML_DIGEST'>]>;
  Quote(
    ...call: [
      signHandle: KeyHandle,
      ...sessions: Sessions,
      qualifyingData: Wire<'TPM2B_DATA'>,
      inScheme: Wire<'TPMT_SIG_SCHEME'>,
      selection: Wire<'TPML_PCR_SELECTION'>,
    ]
  ): Promise<[quoted: Wire<'TPM2B_ATTEST'>, signature: Wire<'TPMT_SIGNATURE'>]>;
  GetTime(
    ...call: [
      privacyAdminHandle: HierarchyHandle,
      signHandle: KeyHandle,
      ...sessions: Sessions,
      qualifyingData: Wire<'TPM2B_DATA'>,
      inScheme: Wire<'TPMT_SIG_SCHEME'>,
    ]
  ): Promise<[timeInfo: Wire<'TPM2B_ATTEST'>, signature: Wire<'TPMT_SIGNATURE'>]>;
  Certify(
    ...call: [
      objectHandle: KeyHandle,
      signHandle: KeyHandle,
      ...sessions: Sessions,
      qualifyingData: Wire<'TPM2B_DATA'>,
      inScheme: Wire<'TPMT_SIG_SCHEME'>,
    ]
  ): Promise<[certifyInfo: Wire<'TPM2B_ATTEST'>, signature: Wire<'TPMT_SIGNATURE'>]>;
  CertifyCreation(
    ...call: [
      signHandle: KeyHandle,
      objectHandle: KeyHandle,
      ...sessions: Sessions,
      qualifyingData: Wire<'TPM2B_DATA'>,
      creationHash: Wire<'TPM2B_DIGEST'>,
      inScheme: Wire<'TPMT_SIG_SCHEME'>,
      creationTicket: Wire<'TPMT_TK_CREATION'>,
    ]
  ): Promise<[certifyInfo: Wire<'TPM2B_ATTEST'>, signature: Wire<'TPMT_SIGNATURE'>]>;

  // NV: Part 3 section 31
  NV_DefineSpace(
    ...call: [authHandle: HierarchyHandle, ...sessions: Sessions, auth: Wire<'TPM2B_DIGEST'>, publicInfo: Wire<'TPM2B_NV_PUBLIC'>]
  ): Promise<NvHandle>;
  NV_UndefineSpace(...call: [authHandle: HierarchyHandle, nvIndex: NvHandle, ...sessions: Sessions]): Promise<void>;
  NV_ReadPublic(
    ...call: [nvIndex: NvHandle, ...sessions: Sessions]
  ): Promise<[nvPublic: Wire<'TPM2B_NV_PUBLIC'>, nvName: Wire<'TPM2B_NAME'>]>;
  NV_Read(
    ...call: [authHandle: AuthorityHandle, nvIndex: NvHandle, ...sessions: Sessions, size: number, offset: number]
  ): Promise<Wire<'TPM2B_MAX_NV_BUFFER'>>;
  NV_Write(
    ...call: [authHandle: AuthorityHandle, nvIndex: NvHandle, ...sessions: Sessions, data: Wire<'TPM2B_MAX_NV_BUFFER'>, offset: number]
  ): Promise<void>;
  NV_Increment(...call: [authHandle: AuthorityHandle, nvIndex: NvHandle, ...sessions: Sessions]): Promise<void>;
  NV_Extend(
    ...call: [authHandle: AuthorityHandle, nvIndex: NvHandle, ...sessions: Sessions, data: Wire<'TPM2B_MAX_NV_BUFFER'>]
  ): Promise<void>;
  NV_Certify(
    ...call: [
      signHandle: KeyHandle,
      authHandle: AuthorityHandle,
      nvIndex: NvHandle,
      ...sessions: Sessions,
      qualifyingData: Wire<'TPM2B_DATA'>,
      inScheme: Wire<'TPMT_SIG_SCHEME'>,
      size: number,
      offset: number,
    ]
  ): Promise<[certifyInfo: Wire<'TPM2B_ATTEST'>, signature: Wire<'TPMT_SIGNATURE'>]>;

  // Policies: Part 3 section 23
  PolicyPCR(
    ...call: [policySession: SessionHandle, ...sessions: Sessions, pcrDigest: Wire<'TPM2B_DIGEST'> | null, pcrs: Wire<'TPML_PCR_SELECTION'>]
  ): Promise<void>;
  PolicySecret(
    ...call: [
      authHandle: AuthorityHandle,
      policySession: SessionHandle,
      ...sessions: Sessions,
      nonceTPM: Wire<'TPM2B_DIGEST'> | null,
      cpHashA: Wire<'TPM2B_DIGEST'> | null,
      policyRef: Wire<'TPM2B_DIGEST'> | null,
      expiration: number,
    ]
  ): Promise<[timeout: Wire<'TPM2B_DIGEST'>, policyTicket: Wire<'TPMT_TK_AUTH'>]>;
  PolicyAuthorize(
    ...call: [
      policySession: SessionHandle,
      ...sessions: Sessions,
      approvedPolicy: Wire<'TPM2B_DIGEST'>,
      policyRef: Wire<'TPM2B_DIGEST'>,
      keySign: Wire<'TPM2B_NAME'>,
      checkTicket: Wire<'TPMT_TK_VERIFIED'>,
    ]
  ): Promise<void>;
  PolicyCommandCode(...call: [policySession: SessionHandle, ...sessions: Sessions, code: number]): Promise<void>;
  PolicyGetDigest(...call: [policySession: SessionHandle, ...sessions: Sessions]): Promise<Wire<'TPM2B_DIGEST'>>;
}
