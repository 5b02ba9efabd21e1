// Bindings: the TPM commands that Capstan uses, one line each. TPM 2.0 Part 3; TCG TSS 2.0 ESAPI.
// Not bound on purpose: TR_Deserialize and ContextLoad (crafted blobs overflow in libtss2 before 4.2.0), firmware
// upgrade, command audit, everything without a use.
#include "bindings.h"

namespace capstan {

namespace {

// ESYS_TR by value, as everywhere else.
TSS2_RC CloseHandle(ESYS_CONTEXT* esys, ESYS_TR handle) { return Esys_TR_Close(esys, &handle); }

// Only NV indexes and objects: PCRs and hierarchies have fixed handles, and a session that was not started here has
// nothing in it that ESYS could use (3.2.1 reads it all the same). Nothing is authorised here; with the password
// pseudo-session ESYS 3.2.1 reads through a null pointer, so the marks leave that out.
TSS2_RC FromTpmPublic(ESYS_CONTEXT* esys, TPM2_HANDLE handle, ESYS_TR session1, ESYS_TR session2, ESYS_TR session3,
                      ESYS_TR* object) {
  const TPM2_HANDLE kind = handle >> TPM2_HR_SHIFT;
  const bool may = kind == TPM2_HT_NV_INDEX || kind == TPM2_HT_TRANSIENT || kind == TPM2_HT_PERSISTENT;
  if (!may) return TSS2_ESYS_RC_BAD_VALUE;
  return Esys_TR_FromTPMPublic(esys, handle, session1, session2, session3, object);
}

}  // namespace

// The marks stand for the parameters of the prototype, in order: see handles.h.
#define BIND_AS(name, function, inputs, outputs)                                                     \
  [] {                                                                                               \
    static_assert(MarksFit(function, inputs, outputs), name ": the marks do not fit the prototype"); \
    return Binding{name, inputs, outputs, Bound<&function>::Parse, Bound<&function>::Describe};      \
  }()
#define BIND(name, inputs, outputs) BIND_AS(#name, Esys_##name, inputs, outputs)

const std::vector<Binding>& AllBindings() {
  static const std::vector<Binding> all = {
      // Handles and sessions
      BIND_AS("TR_FromTPMPublic", FromTpmPublic, "#eee", "x"),
      BIND_AS("TR_Close", CloseHandle, "x", ""),
      BIND(TR_SetAuth, "a*", ""),
      BIND(TR_GetName, "a", "*"),
      BIND(TRSess_GetAttributes, "p", "#"),
      BIND(TRSess_SetAttributes, "p##", ""),
      BIND(TRSess_GetNonceTPM, "p", "*"),
      BIND(StartAuthSession, "obsss?#*#", "p"),
      BIND(PolicyRestart, "psss", ""),
      BIND(FlushContext, "x", ""),
      // The chip
      BIND(Startup, "#", ""),
      BIND(Shutdown, "sss#", ""),
      BIND(SelfTest, "sss#", ""),
      BIND(GetCapability, "sss###", "#*"),
      BIND(GetRandom, "sss#", "*"),
      BIND(Clear, "rsss", ""),
      BIND(ClearControl, "rsss#", ""),
      BIND(HierarchyChangeAuth, "rsss*", ""),
      BIND(DictionaryAttackLockReset, "rsss", ""),
      BIND(DictionaryAttackParameters, "rsss###", ""),
      // Time
      BIND(ReadClock, "sss", "*"),
      BIND(ClockSet, "rsss#", ""),
      BIND(ClockRateAdjust, "rsss#", ""),
      // Keys and sealed objects
      BIND(CreatePrimary, "rsss****", "x****"),
      BIND(Create, "ksss****", "*****"),
      BIND(Load, "ksss**", "x"),
      BIND(LoadExternal, "sss?*r", "x"),
      BIND(ReadPublic, "ksss", "***"),
      BIND(EvictControl, "rKsss#", "x"),
      BIND(MakeCredential, "ksss**", "**"),
      BIND(ActivateCredential, "kksss**", "*"),
      BIND(Unseal, "ksss", "*"),
      // Cryptography
      BIND(Sign, "ksss***", "*"),
      BIND(VerifySignature, "ksss**", "*"),
      BIND(RSA_Encrypt, "ksss***", "*"),
      BIND(RSA_Decrypt, "ksss***", "*"),
      BIND(ECDH_KeyGen, "ksss", "**"),
      BIND(ECDH_ZGen, "ksss*", "*"),
      BIND(Hash, "sss*#r", "**"),
      // Measurement and attestation
      BIND(PCR_Extend, "csss*", ""),
      BIND(PCR_Event, "csss*", "*"),
      BIND(PCR_Read, "sss*", "#**"),
      BIND(Quote, "ksss***", "**"),
      BIND(GetTime, "rksss**", "**"),
      BIND(Certify, "kksss**", "**"),
      BIND(CertifyCreation, "kksss****", "**"),
      // NV
      BIND(NV_DefineSpace, "rsss**", "x"),
      BIND(NV_UndefineSpace, "rNsss", ""),
      BIND(NV_ReadPublic, "nsss", "**"),
      BIND(NV_Read, "ansss##", "*"),
      BIND(NV_Write, "ansss*#", ""),
      BIND(NV_Increment, "ansss", ""),
      BIND(NV_Extend, "ansss*", ""),
      BIND(NV_Certify, "kansss**##", "**"),
      // Policies
      BIND(PolicyPCR, "psss?*", ""),
      BIND(PolicySecret, "apsss???#", "**"),
      BIND(PolicyAuthorize, "psss****", ""),
      BIND(PolicyCommandCode, "psss#", ""),
      BIND(PolicyGetDigest, "psss", "*"),
  };
  return all;
}

}  // namespace capstan
