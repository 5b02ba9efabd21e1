// Wire: the TPM structures that cross between JavaScript and tpm2-tss, as bytes only.
// Every structure is named once here, with the two Tss2_MU_* functions that convert it.
// TPM 2.0 Part 2; TCG TSS 2.0 Marshaling/Unmarshaling API.
#pragma once

#include <strings.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include <cstdint>
#include <vector>

namespace capstan {

// The longest command or response a TPM of this stack accepts (TPM2_MAX_COMMAND_SIZE); no structure is longer.
constexpr size_t kWireBytesMax = 4096;

// Bytes after the end of every input: a reader in the library that runs over meets zeros, not someone's heap.
constexpr size_t kInputGuardBytes = 64;

using Bytes = std::vector<uint8_t>;

inline void Wipe(void* memory, size_t length) { explicit_bzero(memory, length); }
inline void Wipe(Bytes& bytes) {
  if (!bytes.empty()) Wipe(bytes.data(), bytes.size());
}

template <typename T>
struct Wire;

#define CAPSTAN_WIRE(type)                                                              \
  template <>                                                                           \
  struct Wire<type> {                                                                   \
    static constexpr const char* name = #type;                                          \
    static TSS2_RC Marshal(const type* from, uint8_t* to, size_t length, size_t* at) {  \
      return Tss2_MU_##type##_Marshal(from, to, length, at);                            \
    }                                                                                   \
    static TSS2_RC Unmarshal(const uint8_t* from, size_t length, size_t* at, type* to) { \
      return Tss2_MU_##type##_Unmarshal(from, length, at, to);                          \
    }                                                                                   \
  };

CAPSTAN_WIRE(TPM2B_ATTEST)
CAPSTAN_WIRE(TPM2B_CREATION_DATA)
CAPSTAN_WIRE(TPM2B_DATA)
CAPSTAN_WIRE(TPM2B_DIGEST)
CAPSTAN_WIRE(TPM2B_ECC_POINT)
CAPSTAN_WIRE(TPM2B_ENCRYPTED_SECRET)
CAPSTAN_WIRE(TPM2B_EVENT)
CAPSTAN_WIRE(TPM2B_ID_OBJECT)
CAPSTAN_WIRE(TPM2B_MAX_BUFFER)
CAPSTAN_WIRE(TPM2B_MAX_NV_BUFFER)
CAPSTAN_WIRE(TPM2B_NAME)
CAPSTAN_WIRE(TPM2B_NV_PUBLIC)
CAPSTAN_WIRE(TPM2B_PRIVATE)
CAPSTAN_WIRE(TPM2B_PUBLIC)
CAPSTAN_WIRE(TPM2B_PUBLIC_KEY_RSA)
CAPSTAN_WIRE(TPM2B_SENSITIVE)
CAPSTAN_WIRE(TPM2B_SENSITIVE_CREATE)
CAPSTAN_WIRE(TPM2B_SENSITIVE_DATA)
CAPSTAN_WIRE(TPML_DIGEST)
CAPSTAN_WIRE(TPML_DIGEST_VALUES)
CAPSTAN_WIRE(TPML_PCR_SELECTION)
CAPSTAN_WIRE(TPMS_CAPABILITY_DATA)
CAPSTAN_WIRE(TPMS_TIME_INFO)
CAPSTAN_WIRE(TPMT_RSA_DECRYPT)
CAPSTAN_WIRE(TPMT_SIGNATURE)
CAPSTAN_WIRE(TPMT_SIG_SCHEME)
CAPSTAN_WIRE(TPMT_SYM_DEF)
CAPSTAN_WIRE(TPMT_TK_AUTH)
CAPSTAN_WIRE(TPMT_TK_CREATION)
CAPSTAN_WIRE(TPMT_TK_HASHCHECK)
CAPSTAN_WIRE(TPMT_TK_VERIFIED)

#undef CAPSTAN_WIRE

// Reads exactly `length` bytes of `input` (which is followed by kInputGuardBytes zeros) into `to`, which must be
// zero. The library ignores some errors inside nested structures, so the result is written again and compared:
// bytes that have another form are refused.
template <typename T>
TSS2_RC Read(const uint8_t* input, size_t length, T* to) {
  size_t used = 0;
  TSS2_RC rc = Wire<T>::Unmarshal(input, length, &used, to);
  if (rc != TSS2_RC_SUCCESS) return rc;
  if (used != length) return TSS2_MU_RC_BAD_SIZE;
  Bytes again(kWireBytesMax);
  size_t written = 0;
  rc = Wire<T>::Marshal(to, again.data(), again.size(), &written);
  const bool same = rc == TSS2_RC_SUCCESS && written == length && memcmp(again.data(), input, length) == 0;
  Wipe(again);
  if (rc != TSS2_RC_SUCCESS) return rc;
  return same ? TSS2_RC_SUCCESS : TSS2_MU_RC_BAD_VALUE;
}

// Writes one structure that the library returned.
template <typename T>
TSS2_RC Write(const T* from, Bytes* to) {
  Bytes room(2 * kWireBytesMax);
  size_t written = 0;
  const TSS2_RC rc = Wire<T>::Marshal(from, room.data(), room.size(), &written);
  if (rc == TSS2_RC_SUCCESS) to->assign(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(written));
  Wipe(room);
  return rc;
}

}  // namespace capstan
