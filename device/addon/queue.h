// Queue: the calls of one context, run one after the other in order, each off the event loop.
// Everything here runs on the JavaScript thread except Call::Run.
#pragma once

#include <node_api.h>

#include <deque>
#include <memory>

#include "context.h"

namespace capstan {

// One call of JavaScript, from its arguments to the settled promise.
class Call {
 public:
  explicit Call(const char* name) : name_(name) {}
  virtual ~Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // On a worker thread, with the context to itself.
  virtual Fault Run(Context& context) = 0;
  // On the JavaScript thread after a Run without fault, `context` being the receiver of the call; nullptr where the
  // environment is being torn down.
  virtual napi_value Result(napi_env env, napi_value context) = 0;
  // Whether the connection must be there before Run.
  virtual bool needsOpen() const { return true; }

  const char* name() const { return name_; }

 private:
  const char* const name_;
};

class Queue : public std::enable_shared_from_this<Queue> {
 public:
  // Far more than a TPM answers in the time that anyone waits.
  static constexpr size_t kCallsMax = 1024;

  explicit Queue(std::string tcti) : context_(std::move(tcti)) {}

  // Appends a call; the promise returned keeps `owner` (the JavaScript object of the context) alive until it settles.
  napi_value Append(napi_env env, napi_value owner, std::unique_ptr<Call> call);

  // From now on every new call is refused.
  void Shut() { shut_ = true; }

 private:
  struct Waiting {
    std::unique_ptr<Call> call;
    napi_deferred deferred;
    napi_ref owner;
  };
  struct Running;

  void StartNext(napi_env env);
  static void Execute(napi_env env, void* data);
  static void Complete(napi_env env, napi_status status, void* data);

  Context context_;
  std::deque<Waiting> waiting_;
  bool running_ = false;
  bool shut_ = false;
};

// The Error of a fault: message, code 'ERR_TPM', rc, layer, command, contextLost.
napi_value ErrorOf(napi_env env, const char* command, const Fault& fault);

// A promise that is rejected already.
napi_value Rejected(napi_env env, const char* command, const Fault& fault);

}  // namespace capstan
