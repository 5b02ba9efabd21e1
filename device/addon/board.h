// Board: what JavaScript sees of the kernel's character devices, beside the TPM. Typed in device/board/kernel.ts.
// Files are opened and closed by JavaScript; these calls do what read(2) and write(2) can't. A call that fails throws an
// Error with `code` (an errno's name) and `syscall`, as those of node:fs do.
#pragma once

#include <node_api.h>

namespace capstan {

// Adds `gpio…`, `smbusTransfer` and `watchReadable` to the module.
void DefineBoard(napi_env env, napi_value exports);

// gpio.cc, i2c.cc and watch.cc; each adds its own functions.
void DefineGpio(napi_env env, napi_value exports);
void DefineI2c(napi_env env, napi_value exports);
void DefineWatch(napi_env env, napi_value exports);

void DefineFunction(napi_env env, napi_value exports, const char* name, napi_callback callback);

// An Error with `code` and `syscall`.
napi_value SystemError(napi_env env, int number, const char* syscall);

// Throws it; the value returned is for `return`.
napi_value ThrowSystemError(napi_env env, int number, const char* syscall);

// Reads integer arguments, in order. False with an exception pending where one is no integer of 32 bits.
bool ReadIntegers(napi_env env, const napi_value* from, size_t count, uint32_t* to);

}  // namespace capstan
