// Fault: why a call failed, on its way to a JavaScript Error with `.rc`, `.layer` and the text of Tss2_RC_Decode.
// TCG TSS 2.0 Overview and Common Structures section 3.6 (response codes and their layers).
#pragma once

#include <tss2/tss2_common.h>
#include <tss2/tss2_rc.h>

#include <string>

namespace capstan {

struct Fault {
  TSS2_RC rc = TSS2_RC_SUCCESS;
  const char* layer = "";
  std::string text;
  bool ours = false;         // refused by the addon itself: no library was asked
  bool contextLost = false;  // the TPM context had to be given up: every handle of it is void

  bool any() const { return rc != TSS2_RC_SUCCESS; }
};

inline const char* LayerOf(TSS2_RC rc) {
  switch (rc & TSS2_RC_LAYER_MASK) {
    case TSS2_TPM_RC_LAYER: return "tpm";
    case TSS2_ESAPI_RC_LAYER: return "esys";
    case TSS2_SYS_RC_LAYER: return "sys";
    case TSS2_MU_RC_LAYER: return "mu";
    case TSS2_TCTI_RC_LAYER: return "tcti";
    case TSS2_RESMGR_RC_LAYER: return "resmgr";
    case TSS2_RESMGR_TPM_RC_LAYER: return "resmgr";
    default: return "unknown";
  }
}

// A failure that a library or the TPM reported.
inline Fault FaultOf(TSS2_RC rc) { return Fault{rc, LayerOf(rc), Tss2_RC_Decode(rc)}; }

// A call that this addon refuses by itself.
inline Fault Refusal(TSS2_RC rc, std::string text) { return Fault{rc, "addon", std::move(text), true}; }

}  // namespace capstan
