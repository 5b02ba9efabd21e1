// Watch: says when a file descriptor can be read, by the event loop's own poll. A read(2) that waits for an edge would park
// a thread and keep the line for ever; a timer would cost CPU at rest.
#include <uv.h>

#include "board.h"

namespace capstan {

namespace {

struct Watch {
  uv_poll_t poll;
  napi_env env = nullptr;
  napi_ref callback = nullptr;
  napi_async_context context = nullptr;
  bool isOpen = true;
};

void Say(uv_poll_t* poll, int status, int) {
  auto* watch = static_cast<Watch*>(poll->data);
  napi_env env = watch->env;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback = nullptr;
  napi_value receiver = nullptr;
  napi_value problem = nullptr;
  napi_get_reference_value(env, watch->callback, &callback);
  napi_get_global(env, &receiver);
  if (status < 0) {
    uv_poll_stop(poll);
    problem = SystemError(env, -status, "poll");
  } else {
    napi_get_undefined(env, &problem);
  }
  napi_make_callback(env, watch->context, receiver, callback, 1, &problem, nullptr);
  bool isPending = false;
  napi_value exception = nullptr;
  if (napi_is_exception_pending(env, &isPending) == napi_ok && isPending && napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
    napi_fatal_exception(env, exception);
  }
  napi_close_handle_scope(env, scope);
}

void End(Watch* watch) {
  if (!watch->isOpen) return;
  watch->isOpen = false;
  napi_delete_reference(watch->env, watch->callback);
  napi_async_destroy(watch->env, watch->context);
  uv_close(reinterpret_cast<uv_handle_t*>(&watch->poll), [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
}

void EndAtExit(void* data) { End(static_cast<Watch*>(data)); }

napi_value Stop(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_value receiver = nullptr;
  size_t count = 0;
  if (napi_get_cb_info(env, info, &count, nullptr, &receiver, &data) != napi_ok) return nullptr;
  auto* held = static_cast<Watch**>(data);
  if (*held == nullptr) return nullptr;
  napi_remove_env_cleanup_hook(env, EndAtExit, *held);
  End(*held);
  *held = nullptr;
  return nullptr;
}

// watchReadable(fd, callback(problem)) -> function that ends it; call it before the file is closed
napi_value WatchReadable(napi_env env, napi_callback_info info) {
  napi_value values[2] = {};
  size_t count = 2;
  uint32_t fd = 0;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok || !ReadIntegers(env, values, 1, &fd)) return nullptr;
  napi_valuetype type = napi_undefined;
  if (count < 2 || napi_typeof(env, values[1], &type) != napi_ok || type != napi_function) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "Argument 2 must be a function.");
    return nullptr;
  }
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return nullptr;
  auto* watch = new Watch;
  watch->env = env;
  watch->poll.data = watch;
  const int failure = uv_poll_init(loop, &watch->poll, static_cast<int>(fd));
  if (failure < 0) {
    delete watch;
    return ThrowSystemError(env, -failure, "poll");
  }
  napi_value name = nullptr;
  napi_create_string_utf8(env, "capstan-watch", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, nullptr, name, &watch->context);
  napi_create_reference(env, values[1], 1, &watch->callback);
  napi_add_env_cleanup_hook(env, EndAtExit, watch);
  uv_poll_start(&watch->poll, UV_READABLE | UV_PRIORITIZED, Say);
  auto** held = new Watch*(watch);
  napi_value stop = nullptr;
  napi_create_function(env, "stop", NAPI_AUTO_LENGTH, Stop, held, &stop);
  napi_add_finalizer(env, stop, held, [](napi_env, void* data, void*) { delete static_cast<Watch**>(data); }, nullptr, nullptr);
  return stop;
}

}  // namespace

void DefineWatch(napi_env env, napi_value exports) { DefineFunction(env, exports, "watchReadable", WatchReadable); }

}  // namespace capstan
