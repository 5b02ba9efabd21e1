// Context: see context.h. TCG TSS 2.0 ESAPI; TPM 2.0 Part 3 section 28.4 (TPM2_FlushContext).
#include "context.h"

#include <tss2/tss2_tctildr.h>

namespace capstan {

namespace {

// ESYS counts its handles up from below 2^31; this one is never reached.
constexpr ESYS_TR kNoSuchHandle = 0xfffffff0;

}  // namespace

Fault Context::Open() {
  TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti_.c_str(), &transport_);
  if (rc != TSS2_RC_SUCCESS) {
    transport_ = nullptr;
    Fault fault = FaultOf(rc);
    fault.text = "No TPM answers at " + tcti_ + ": " + fault.text;
    return fault;
  }
  FlushLeftovers();
  rc = Esys_Initialize(&esys_, transport_, nullptr);
  if (rc == TSS2_RC_SUCCESS) return {};
  esys_ = nullptr;
  Close();
  return FaultOf(rc);
}

Fault Context::RequireOpen() { return esys_ == nullptr ? Open() : Fault{}; }

void Context::Close() {
  for (const TPM2_HANDLE handle : handles_.TakeVolatile()) leftovers_.push_back(handle);
  if (esys_ != nullptr) Esys_Finalize(&esys_);
  esys_ = nullptr;
  if (transport_ == nullptr) return;
  Tss2_TctiLdr_Finalize(&transport_);
  transport_ = nullptr;
}

void Context::FlushAndClose() {
  for (const TPM2_HANDLE handle : handles_.TakeVolatile()) leftovers_.push_back(handle);
  if (transport_ != nullptr) FlushLeftovers();
  Close();
}

bool Context::GiveUpAfter(const Fault& fault) {
  if (fault.ours) return false;
  const TSS2_RC layer = fault.rc & TSS2_RC_LAYER_MASK;
  if (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER) return false;
  if (layer != TSS2_TCTI_RC_LAYER && !IsStuck()) return false;
  Close();
  return true;
}

// ESYS 3.2.1 forgets to reset its state after some failures and answers BAD_SEQUENCE for ever. A call with a session
// that does not exist, which ESYS refuses before it sends anything, tells the two apart.
bool Context::IsStuck() {
  const TSS2_RC rc = Esys_GetRandom_Async(esys_, kNoSuchHandle, ESYS_TR_NONE, ESYS_TR_NONE, 1);
  return rc != TSS2_ESYS_RC_BAD_TR;
}

// What a lost context left in the chip would fill its three slots: nobody else knows these handles any more.
// Behind a resource manager they are gone already and the command fails, which is as good.
void Context::FlushLeftovers() {
  for (const TPM2_HANDLE handle : leftovers_) Flush(handle);
  leftovers_.clear();
}

void Context::Flush(TPM2_HANDLE handle) {
  const uint8_t command[14] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65,
                               static_cast<uint8_t>(handle >> 24), static_cast<uint8_t>(handle >> 16),
                               static_cast<uint8_t>(handle >> 8), static_cast<uint8_t>(handle)};
  if (Tss2_Tcti_Transmit(transport_, sizeof command, command) != TSS2_RC_SUCCESS) return;
  uint8_t response[TPM2_MAX_RESPONSE_SIZE];
  size_t length = sizeof response;
  Tss2_Tcti_Receive(transport_, &length, response, TSS2_TCTI_TIMEOUT_BLOCK);
}

}  // namespace capstan
