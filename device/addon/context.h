// Context: one connection to one TPM, used by one thread at a time.
// It reopens itself after a failure that leaves it unusable; its handles are void then.
#pragma once

#include <tss2/tss2_esys.h>

#include <string>

#include "fault.h"
#include "handles.h"

namespace capstan {

class Context {
 public:
  explicit Context(std::string tcti) : tcti_(std::move(tcti)) {}
  ~Context() { Close(); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Fault Open();
  void Close();
  // As Close, and leaves none of its keys and sessions in the chip.
  void FlushAndClose();

  // Opens the connection where it was lost or never made.
  Fault RequireOpen();

  // Looks at why a call failed: gives the connection up where nothing more can be done with it.
  // Returns true when it did.
  bool GiveUpAfter(const Fault& fault);

  ESYS_CONTEXT* esys() const { return esys_; }
  Handles& handles() { return handles_; }

 private:
  bool IsStuck();
  void FlushLeftovers();
  void Flush(TPM2_HANDLE handle);

  const std::string tcti_;
  TSS2_TCTI_CONTEXT* transport_ = nullptr;
  ESYS_CONTEXT* esys_ = nullptr;
  Handles handles_;
  std::vector<TPM2_HANDLE> leftovers_;
};

}  // namespace capstan
