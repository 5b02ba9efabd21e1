// One transfer on an I2C bus by the SMBus calls of i2c-dev. linux/i2c-dev.h; Documentation/i2c/dev-interface.rst; SMBus 3.2.
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "board.h"

namespace capstan {

namespace {

// A transfer waits for the wire (90 µs a byte at 100 kHz) and for clocks that a device stretches, so it has a thread.
struct Transfer {
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
  int fd = -1;
  uint8_t address = 0;
  bool isRead = false;
  uint8_t command = 0;
  uint32_t size = 0;
  i2c_smbus_data data{};
  const char* syscall = nullptr;
  int failure = 0;
};

size_t LengthOf(const Transfer& transfer) {
  switch (transfer.size) {
    case I2C_SMBUS_BYTE:
    case I2C_SMBUS_BYTE_DATA: return 1;
    case I2C_SMBUS_WORD_DATA: return 2;
    default: return transfer.data.block[0];
  }
}

// Where the bytes of a transfer begin: a block has its length first, a word is little-endian in memory as on the wire.
uint8_t* BytesOf(Transfer& transfer) {
  return transfer.size == I2C_SMBUS_I2C_BLOCK_DATA ? &transfer.data.block[1] : reinterpret_cast<uint8_t*>(&transfer.data);
}

void Execute(napi_env, void* data) {
  auto& transfer = *static_cast<Transfer*>(data);
  transfer.syscall = "i2c address";
  if (ioctl(transfer.fd, I2C_SLAVE, static_cast<unsigned long>(transfer.address)) < 0) {
    transfer.failure = errno;
    return;
  }
  // A byte that is written without a register travels as the command.
  if (!transfer.isRead && transfer.size == I2C_SMBUS_BYTE) transfer.command = transfer.data.byte;
  i2c_smbus_ioctl_data call{};
  call.read_write = transfer.isRead ? I2C_SMBUS_READ : I2C_SMBUS_WRITE;
  call.command = transfer.command;
  call.size = transfer.size;
  call.data = &transfer.data;
  transfer.syscall = "smbus transfer";
  if (ioctl(transfer.fd, I2C_SMBUS, &call) < 0) transfer.failure = errno;
}

void Complete(napi_env env, napi_status status, void* data) {
  std::unique_ptr<Transfer> transfer(static_cast<Transfer*>(data));
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (status != napi_ok) transfer->failure = ECANCELED;
  if (transfer->failure != 0) {
    napi_value error = SystemError(env, transfer->failure, transfer->syscall == nullptr ? "smbus transfer" : transfer->syscall);
    if (error != nullptr) napi_reject_deferred(env, transfer->deferred, error);
  } else {
    const size_t length = transfer->isRead ? LengthOf(*transfer) : 0;
    void* bytes = nullptr;
    napi_value buffer = nullptr;
    napi_value array = nullptr;
    if (napi_create_arraybuffer(env, length, &bytes, &buffer) == napi_ok) {
      if (length > 0) memcpy(bytes, BytesOf(*transfer), length);
      if (napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array) == napi_ok) {
        napi_resolve_deferred(env, transfer->deferred, array);
      }
    }
  }
  napi_delete_async_work(env, transfer->work);
  napi_close_handle_scope(env, scope);
}

// The kind of transfer that carries so many bytes.
uint32_t SizeFor(size_t bytes, bool hasCommand) {
  if (!hasCommand) return I2C_SMBUS_BYTE;
  if (bytes == 1) return I2C_SMBUS_BYTE_DATA;
  return bytes == 2 ? I2C_SMBUS_WORD_DATA : I2C_SMBUS_I2C_BLOCK_DATA;
}

bool ReadBytes(napi_env env, napi_value from, size_t* length, void** bytes) {
  bool isArray = false;
  napi_typedarray_type kind{};
  return napi_is_typedarray(env, from, &isArray) == napi_ok && isArray &&
         napi_get_typedarray_info(env, from, &kind, length, bytes, nullptr, nullptr) == napi_ok && kind == napi_uint8_array;
}

// Fills a transfer from (bus, address, register or -1, bytes to write or number of bytes to read). What is wrong, or nullptr.
const char* Prepare(napi_env env, const napi_value* from, Transfer* transfer) {
  int32_t fd = 0;
  int32_t address = 0;
  int32_t command = 0;
  if (napi_get_value_int32(env, from[0], &fd) != napi_ok || napi_get_value_int32(env, from[1], &address) != napi_ok ||
      napi_get_value_int32(env, from[2], &command) != napi_ok) {
    return "Bus, address and register must be integers.";
  }
  if (address < 0x03 || address > 0x77) return "An address on an I2C bus is 0x03 to 0x77.";
  if (command < -1 || command > 0xff) return "A register is -1 (none) to 0xff.";
  size_t length = 0;
  void* bytes = nullptr;
  uint32_t wanted = 0;
  transfer->isRead = !ReadBytes(env, from[3], &length, &bytes);
  if (transfer->isRead) {
    if (napi_get_value_uint32(env, from[3], &wanted) != napi_ok) return "Give the bytes to write, or how many to read.";
    length = wanted;
  }
  if (length < 1 || length > I2C_SMBUS_BLOCK_MAX || (command < 0 && length != 1)) {
    return "A transfer is of 1 to 32 bytes, and of one byte where no register is named.";
  }
  transfer->fd = fd;
  transfer->address = static_cast<uint8_t>(address);
  transfer->command = static_cast<uint8_t>(command < 0 ? 0 : command);
  transfer->size = SizeFor(length, command >= 0);
  if (transfer->size == I2C_SMBUS_I2C_BLOCK_DATA) transfer->data.block[0] = static_cast<uint8_t>(length);
  if (!transfer->isRead) memcpy(BytesOf(*transfer), bytes, length);
  return nullptr;
}

// smbusTransfer(bus, address, register, bytes | count) -> promise of the bytes read
napi_value SmbusTransfer(napi_env env, napi_callback_info info) {
  std::array<napi_value, 4> values{};
  size_t count = values.size();
  if (napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr) != napi_ok) return nullptr;
  auto transfer = std::make_unique<Transfer>();
  const char* wrong = count < values.size() ? "An argument is missing." : Prepare(env, values.data(), transfer.get());
  if (wrong != nullptr) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", wrong);
    return nullptr;
  }
  napi_value promise = nullptr;
  napi_value name = nullptr;
  if (napi_create_promise(env, &transfer->deferred, &promise) != napi_ok) return nullptr;
  napi_create_string_utf8(env, "capstan-i2c", NAPI_AUTO_LENGTH, &name);
  if (napi_create_async_work(env, nullptr, name, Execute, Complete, transfer.get(), &transfer->work) != napi_ok) return nullptr;
  if (napi_queue_async_work(env, transfer->work) == napi_ok) transfer.release();
  return promise;
}

}  // namespace

void DefineI2c(napi_env env, napi_value exports) { DefineFunction(env, exports, "smbusTransfer", SmbusTransfer); }

}  // namespace capstan
