// Handles: the numbers by which JavaScript names sessions, keys and NV indexes of one TPM context.
// They are given out once in the life of the process, so that a number of another context, of a context that was
// reopened, or of something flushed is never taken for something else. Used on the context's worker only.
#pragma once

#include <tss2/tss2_esys.h>

#include <atomic>
#include <map>
#include <vector>

namespace capstan {

// What a parameter may name. The letters are the `inputs` and `outputs` of a binding (binding.h).
enum Mark : char {
  kAuthority = 'a',       // anything that has an authorisation: hierarchy, PCR, key, NV index
  kHierarchy = 'r',       // owner, endorsement, platform, null, lockout
  kPcr = 'c',             // PCR 0 to 31
  kKey = 'k',             // a loaded or persistent object
  kEvicted = 'K',         // as kKey; gone after a success that returns no new handle
  kNvIndex = 'n',         // an NV index
  kUndefined = 'N',       // as kNvIndex; gone after success
  kSession = 'p',         // a session that was started here
  kSessionOrNone = 'e',    // as kSession, or none
  kAuthorization = 's',   // a session, the password pseudo-session, or none
  kKeyOrNone = 'o',       // as kKey, or none
  kAuthorityOrNone = 'b', // as kAuthority, or none
  kReleased = 'x',        // a session, key or NV index; gone after success
  kNumber = '#',          // not a handle
  kBytes = '*',           // a structure as TPM wire bytes
  kBytesOrNull = '?',     // as kBytes, or null
};

constexpr bool IsHandle(char mark) { return mark != kNumber && mark != kBytes && mark != kBytesOrNull; }

class Handles {
 public:
  // More than a TPM can hold; a program that reaches it forgets to flush.
  static constexpr size_t kCountMax = 1024;

  bool full() const { return known_.size() >= kCountMax; }

  uint32_t Add(ESYS_CONTEXT* esys, ESYS_TR handle) {
    if (handle == ESYS_TR_NONE) return ESYS_TR_NONE;
    TPM2_HANDLE tpmHandle = 0;
    Esys_TR_GetTpmHandle(esys, handle, &tpmHandle);
    const uint32_t number = next_.fetch_add(1);
    known_[number] = Entry{handle, tpmHandle};
    return number;
  }

  // True and the ESYS handle when `number` names something of the kind `mark` that is still there.
  bool Resolve(ESYS_CONTEXT* esys, char mark, uint32_t number, ESYS_TR* handle) {
    if (number < kFirst) {
      *handle = number;
      return FixedMay(mark, number);
    }
    const auto found = known_.find(number);
    if (found == known_.end() || !KnownMay(mark, found->second.tpmHandle)) return false;
    *handle = found->second.handle;
    TPM2_HANDLE now = 0;
    return Esys_TR_GetTpmHandle(esys, *handle, &now) == TSS2_RC_SUCCESS;
  }

  void Forget(uint32_t number) { known_.erase(number); }

  // Forgets everything; returns the TPM handles that occupy slots of the chip until they are flushed.
  std::vector<TPM2_HANDLE> TakeVolatile() {
    std::vector<TPM2_HANDLE> left;
    for (const auto& [number, entry] : known_) {
      if (IsSession(entry.tpmHandle) || IsTransient(entry.tpmHandle)) left.push_back(entry.tpmHandle);
    }
    known_.clear();
    return left;
  }

  static bool IsSession(TPM2_HANDLE handle) {
    return Kind(handle) == TPM2_HT_HMAC_SESSION || Kind(handle) == TPM2_HT_POLICY_SESSION;
  }

 private:
  struct Entry {
    ESYS_TR handle;
    TPM2_HANDLE tpmHandle;
  };

  // Above all constants of ESYS (ESYS_TR_RH_ACT_LAST, ESYS_TR_NONE) and below all TPM handles of objects.
  static constexpr uint32_t kFirst = 0x10000;
  static inline std::atomic<uint32_t> next_{kFirst};

  static uint32_t Kind(TPM2_HANDLE handle) { return handle >> TPM2_HR_SHIFT; }
  static bool IsTransient(TPM2_HANDLE handle) { return Kind(handle) == TPM2_HT_TRANSIENT; }
  static bool IsKey(TPM2_HANDLE handle) { return IsTransient(handle) || Kind(handle) == TPM2_HT_PERSISTENT; }
  static bool IsNvIndex(TPM2_HANDLE handle) { return Kind(handle) == TPM2_HT_NV_INDEX; }

  static bool FixedMay(char mark, uint32_t number) {
    const bool pcr = number <= ESYS_TR_PCR31;
    const bool hierarchy = number == ESYS_TR_RH_OWNER || number == ESYS_TR_RH_NULL || number == ESYS_TR_RH_LOCKOUT ||
                           number == ESYS_TR_RH_ENDORSEMENT || number == ESYS_TR_RH_PLATFORM;
    switch (mark) {
      case kAuthority: return pcr || hierarchy;
      case kAuthorityOrNone: return pcr || hierarchy || number == ESYS_TR_NONE;
      case kHierarchy: return hierarchy;
      case kPcr: return pcr;
      case kSessionOrNone:
      case kKeyOrNone: return number == ESYS_TR_NONE;
      case kAuthorization: return number == ESYS_TR_NONE || number == ESYS_TR_PASSWORD;
      default: return false;
    }
  }

  static bool KnownMay(char mark, TPM2_HANDLE handle) {
    switch (mark) {
      case kAuthority:
      case kAuthorityOrNone: return IsKey(handle) || IsNvIndex(handle);
      case kKey:
      case kEvicted:
      case kKeyOrNone: return IsKey(handle);
      case kNvIndex:
      case kUndefined: return IsNvIndex(handle);
      case kSession:
      case kSessionOrNone:
      case kAuthorization: return IsSession(handle);
      case kReleased: return true;
      default: return false;
    }
  }

  std::map<uint32_t, Entry> known_;
};

}  // namespace capstan
