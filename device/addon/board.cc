// Board: see board.h.
#include "board.h"

#include <cstring>
#include <string>

namespace capstan {

namespace {

void SetText(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value = nullptr;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) napi_set_named_property(env, object, name, value);
}

}  // namespace

void DefineBoard(napi_env env, napi_value exports) {
  DefineGpio(env, exports);
  DefineI2c(env, exports);
  DefineWatch(env, exports);
}

void DefineFunction(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

napi_value SystemError(napi_env env, int number, const char* syscall) {
  const char* code = strerrorname_np(number);
  if (code == nullptr) code = "EUNKNOWN";
  const std::string text = std::string(code) + ": " + strerrordesc_np(number) + ", " + syscall;
  napi_value message = nullptr;
  napi_value error = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &message);
  if (napi_create_error(env, nullptr, message, &error) != napi_ok) return nullptr;
  SetText(env, error, "code", code);
  SetText(env, error, "syscall", syscall);
  return error;
}

napi_value ThrowSystemError(napi_env env, int number, const char* syscall) {
  napi_value error = SystemError(env, number, syscall);
  if (error != nullptr) napi_throw(env, error);
  return nullptr;
}

bool ReadIntegers(napi_env env, const napi_value* from, size_t count, uint32_t* to) {
  for (size_t index = 0; index < count; ++index) {
    double number = 0;
    const bool fits = napi_get_value_double(env, from[index], &number) == napi_ok && number >= 0 && number <= 0xffffffffU;
    if (fits && number == static_cast<double>(static_cast<uint32_t>(number))) {
      to[index] = static_cast<uint32_t>(number);
      continue;
    }
    const std::string text = "Argument " + std::to_string(index + 1) + " must be an integer of 32 bits.";
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", text.c_str());
    return false;
  }
  return true;
}

}  // namespace capstan
