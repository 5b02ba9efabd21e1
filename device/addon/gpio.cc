// Lines of a GPIO chip, uAPI v2. linux/gpio.h; Documentation/userspace-api/gpio/chardev.rst.
#include <fcntl.h>
#include <linux/gpio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "board.h"

namespace capstan {

namespace {

// Shown to whoever lists the lines of the chip, for example `gpioinfo`.
constexpr char kConsumer[] = "capstan";
// Edges that the kernel keeps until they are read: 100 ms of a fan at 9,600 rpm come to 64.
constexpr uint32_t kEventsKept = 256;

bool Arguments(napi_env env, napi_callback_info info, size_t expected, uint32_t* to) {
  std::array<napi_value, 8> values{};
  size_t count = values.size();
  if (napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr) != napi_ok) return false;
  if (count >= expected) return ReadIntegers(env, values.data(), expected, to);
  napi_throw_type_error(env, "ERR_MISSING_ARGS", "An argument is missing.");
  return false;
}

napi_value Number(napi_env env, uint32_t number) {
  napi_value value = nullptr;
  napi_create_uint32(env, number, &value);
  return value;
}

void SetText(napi_env env, napi_value object, const char* name, const char* text, size_t max) {
  napi_value value = nullptr;
  if (napi_create_string_utf8(env, text, strnlen(text, max), &value) == napi_ok) napi_set_named_property(env, object, name, value);
}

// gpioChip(chip) -> { name, label, lines }
napi_value Chip(napi_env env, napi_callback_info info) {
  uint32_t fd = 0;
  if (!Arguments(env, info, 1, &fd)) return nullptr;
  gpiochip_info chip{};
  if (ioctl(static_cast<int>(fd), GPIO_GET_CHIPINFO_IOCTL, &chip) < 0) return ThrowSystemError(env, errno, "gpio chip info");
  napi_value result = nullptr;
  napi_create_object(env, &result);
  SetText(env, result, "name", chip.name, sizeof chip.name);
  SetText(env, result, "label", chip.label, sizeof chip.label);
  napi_set_named_property(env, result, "lines", Number(env, chip.lines));
  return result;
}

// gpioLine(chip, offset) -> { name, consumer, flags }
napi_value Line(napi_env env, napi_callback_info info) {
  uint32_t of[2] = {};
  if (!Arguments(env, info, 2, of)) return nullptr;
  gpio_v2_line_info line{};
  line.offset = of[1];
  if (ioctl(static_cast<int>(of[0]), GPIO_V2_GET_LINEINFO_IOCTL, &line) < 0) return ThrowSystemError(env, errno, "gpio line info");
  napi_value result = nullptr;
  napi_create_object(env, &result);
  SetText(env, result, "name", line.name, sizeof line.name);
  SetText(env, result, "consumer", line.consumer, sizeof line.consumer);
  napi_set_named_property(env, result, "flags", Number(env, static_cast<uint32_t>(line.flags)));
  return result;
}

void Configure(gpio_v2_line_config* config, uint32_t flags, uint32_t level, uint32_t debounceUs) {
  config->flags = flags;
  if ((flags & GPIO_V2_LINE_FLAG_OUTPUT) != 0) {
    gpio_v2_line_config_attribute& value = config->attrs[config->num_attrs++];
    value.attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES;
    value.attr.values = level;
    value.mask = 1;
  }
  if (debounceUs > 0) {
    gpio_v2_line_config_attribute& debounce = config->attrs[config->num_attrs++];
    debounce.attr.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE;
    debounce.attr.debounce_period_us = debounceUs;
    debounce.mask = 1;
  }
}

// gpioRequest(chip, offset, flags, level, debounceUs) -> file descriptor of the line, non-blocking
napi_value Request(napi_env env, napi_callback_info info) {
  uint32_t of[5] = {};
  if (!Arguments(env, info, 5, of)) return nullptr;
  gpio_v2_line_request request{};
  request.offsets[0] = of[1];
  request.num_lines = 1;
  request.event_buffer_size = kEventsKept;
  memcpy(request.consumer, kConsumer, sizeof kConsumer);
  Configure(&request.config, of[2], of[3], of[4]);
  if (ioctl(static_cast<int>(of[0]), GPIO_V2_GET_LINE_IOCTL, &request) < 0) return ThrowSystemError(env, errno, "gpio line request");
  const int flags = fcntl(request.fd, F_GETFL);
  if (flags < 0 || fcntl(request.fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    const int number = errno;
    close(request.fd);
    return ThrowSystemError(env, number, "fcntl");
  }
  return Number(env, static_cast<uint32_t>(request.fd));
}

// gpioConfigure(line, flags, level, debounceUs)
napi_value Reconfigure(napi_env env, napi_callback_info info) {
  uint32_t of[4] = {};
  if (!Arguments(env, info, 4, of)) return nullptr;
  gpio_v2_line_config config{};
  Configure(&config, of[1], of[2], of[3]);
  if (ioctl(static_cast<int>(of[0]), GPIO_V2_LINE_SET_CONFIG_IOCTL, &config) < 0) return ThrowSystemError(env, errno, "gpio line config");
  return nullptr;
}

// gpioRead(line) -> 0 or 1
napi_value Read(napi_env env, napi_callback_info info) {
  uint32_t fd = 0;
  if (!Arguments(env, info, 1, &fd)) return nullptr;
  gpio_v2_line_values values{0, 1};
  if (ioctl(static_cast<int>(fd), GPIO_V2_LINE_GET_VALUES_IOCTL, &values) < 0) return ThrowSystemError(env, errno, "gpio read");
  return Number(env, static_cast<uint32_t>(values.bits & 1));
}

// gpioWrite(line, level)
napi_value Write(napi_env env, napi_callback_info info) {
  uint32_t of[2] = {};
  if (!Arguments(env, info, 2, of)) return nullptr;
  gpio_v2_line_values values{of[1] & 1, 1};
  if (ioctl(static_cast<int>(of[0]), GPIO_V2_LINE_SET_VALUES_IOCTL, &values) < 0) return ThrowSystemError(env, errno, "gpio write");
  return nullptr;
}

}  // namespace

void DefineGpio(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "gpioChip", Chip);
  DefineFunction(env, exports, "gpioLine", Line);
  DefineFunction(env, exports, "gpioRequest", Request);
  DefineFunction(env, exports, "gpioConfigure", Reconfigure);
  DefineFunction(env, exports, "gpioRead", Read);
  DefineFunction(env, exports, "gpioWrite", Write);
}

}  // namespace capstan
