// Queue: see queue.h. Node-API calls may fail while an environment is torn down: their results are not relied on.
#include "queue.h"

#include <cstdio>

namespace capstan {

struct Queue::Running {
  std::shared_ptr<Queue> queue;
  Waiting waiting;
  napi_async_work work = nullptr;
  Fault fault;
};

napi_value Queue::Append(napi_env env, napi_value owner, std::unique_ptr<Call> call) {
  if (shut_) return Rejected(env, call->name(), Refusal(TSS2_ESYS_RC_BAD_REFERENCE, "The TPM context is closed."));
  if (waiting_.size() >= kCallsMax) {
    return Rejected(env, call->name(),
                    Refusal(TSS2_ESYS_RC_TRY_AGAIN, "1024 calls wait for the TPM already; wait for some of them."));
  }
  Waiting waiting{std::move(call), nullptr, nullptr};
  napi_value promise = nullptr;
  if (napi_create_promise(env, &waiting.deferred, &promise) != napi_ok) return nullptr;
  napi_create_reference(env, owner, 1, &waiting.owner);
  waiting_.push_back(std::move(waiting));
  if (!running_) StartNext(env);
  return promise;
}

void Queue::StartNext(napi_env env) {
  if (waiting_.empty()) return;
  auto* running = new Running{shared_from_this(), std::move(waiting_.front()), nullptr, {}};
  waiting_.pop_front();
  napi_value name = nullptr;
  napi_create_string_utf8(env, "capstan-tpm", NAPI_AUTO_LENGTH, &name);
  if (napi_create_async_work(env, nullptr, name, Execute, Complete, running, &running->work) != napi_ok ||
      napi_queue_async_work(env, running->work) != napi_ok) {
    waiting_.clear();
    delete running;
    return;
  }
  running_ = true;
}

void Queue::Execute(napi_env, void* data) {
  auto* running = static_cast<Running*>(data);
  Context& context = running->queue->context_;
  if (running->waiting.call->needsOpen()) running->fault = context.RequireOpen();
  if (running->fault.any()) return;
  running->fault = running->waiting.call->Run(context);
  if (running->fault.any()) running->fault.contextLost = context.GiveUpAfter(running->fault);
}

void Queue::Complete(napi_env env, napi_status status, void* data) {
  std::unique_ptr<Running> running(static_cast<Running*>(data));
  Queue& queue = *running->queue;
  Call& call = *running->waiting.call;
  queue.running_ = false;
  if (status != napi_ok) {
    running->fault = Refusal(TSS2_ESYS_RC_GENERAL_FAILURE, "The call was cancelled.");
  }
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  const bool failed = running->fault.any();
  napi_value owner = nullptr;
  napi_get_reference_value(env, running->waiting.owner, &owner);
  napi_value outcome = failed ? ErrorOf(env, call.name(), running->fault) : call.Result(env, owner);
  napi_status settled = napi_generic_failure;
  if (outcome != nullptr) {
    settled = failed ? napi_reject_deferred(env, running->waiting.deferred, outcome)
                     : napi_resolve_deferred(env, running->waiting.deferred, outcome);
  }
  napi_delete_reference(env, running->waiting.owner);
  napi_delete_async_work(env, running->work);
  // An environment that cannot settle a promise is going away: what waits has nobody to answer.
  if (settled == napi_ok) queue.StartNext(env);
  napi_close_handle_scope(env, scope);
}

namespace {

void Set(napi_env env, napi_value object, const char* name, napi_value value) {
  if (value != nullptr) napi_set_named_property(env, object, name, value);
}

napi_value Text(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

}  // namespace

napi_value ErrorOf(napi_env env, const char* command, const Fault& fault) {
  char code[16];
  std::snprintf(code, sizeof code, "0x%08x", fault.rc);
  napi_value error = nullptr;
  const std::string message = std::string(command) + ": " + fault.text + " (" + fault.layer + " " + code + ")";
  if (napi_create_error(env, Text(env, "ERR_TPM"), Text(env, message), &error) != napi_ok) return nullptr;
  napi_value rc = nullptr;
  napi_create_uint32(env, fault.rc, &rc);
  napi_value lost = nullptr;
  napi_get_boolean(env, fault.contextLost, &lost);
  Set(env, error, "rc", rc);
  Set(env, error, "layer", Text(env, fault.layer));
  Set(env, error, "command", Text(env, command));
  Set(env, error, "contextLost", lost);
  return error;
}

napi_value Rejected(napi_env env, const char* command, const Fault& fault) {
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return nullptr;
  napi_value error = ErrorOf(env, command, fault);
  if (error == nullptr) return nullptr;
  napi_reject_deferred(env, deferred, error);
  return promise;
}

}  // namespace capstan
