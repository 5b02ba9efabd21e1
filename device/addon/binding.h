// Binding: one method of the context, derived by the compiler from the prototype in tss2_esys.h.
// A parameter `const T*` is a structure that goes in, `T**` one that comes out (both as TPM wire bytes), an integer a
// number or a handle, a pointer to an integer a number or handle that comes out. What the prototype doesn't say (which
// integers are handles and of which kind, what may be null) is said by two strings of marks (handles.h).
#pragma once

#include <node_api.h>

#include <limits>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "queue.h"
#include "wire.h"

namespace capstan {

// A method as JavaScript sees it; `describe` gives the names of its parameters' types.
struct Binding {
  const char* name;
  std::string_view inputs;
  std::string_view outputs;
  std::unique_ptr<Call> (*parse)(napi_env, const Binding&, const napi_value* arguments, Fault*);
  std::vector<const char*> (*describe)();
};

template <typename T>
constexpr const char* IntegerName() {
  if constexpr (std::is_same_v<T, uint8_t>) return "uint8";
  else if constexpr (std::is_same_v<T, int8_t>) return "int8";
  else if constexpr (std::is_same_v<T, uint16_t>) return "uint16";
  else if constexpr (std::is_same_v<T, uint32_t>) return "uint32";
  else if constexpr (std::is_same_v<T, int32_t>) return "int32";
  else if constexpr (std::is_same_v<T, uint64_t>) return "uint64";
}

inline Fault WrongArgument(size_t position, const std::string& expected) {
  return Refusal(TSS2_ESYS_RC_BAD_VALUE, "Argument " + std::to_string(position + 1) + " must be " + expected + ".");
}

// A parameter of a prototype: its storage, how it is filled from JavaScript, and what it gives back.
template <typename P, typename = void>
struct Slot;

// An integer or handle that goes in.
template <typename P>
struct Slot<P, std::enable_if_t<std::is_integral_v<P>>> {
  static constexpr bool kInput = true;
  static constexpr const char* kType = IntegerName<P>();
  P given{};
  P value{};

  Fault Parse(napi_env env, napi_value from, char, size_t position) {
    if constexpr (std::is_same_v<P, uint64_t>) {
      bool lossless = false;
      if (napi_get_value_bigint_uint64(env, from, &given, &lossless) == napi_ok && lossless) return {};
      return WrongArgument(position, "a bigint from 0 to 2^64-1");
    } else {
      double number = 0;
      using Limits = std::numeric_limits<P>;
      const bool fits = napi_get_value_double(env, from, &number) == napi_ok &&
                        number >= static_cast<double>(Limits::min()) && number <= static_cast<double>(Limits::max());
      if (!fits || number != static_cast<double>(static_cast<P>(number))) {
        return WrongArgument(position, std::string("an integer of type ") + kType);
      }
      given = static_cast<P>(number);
      return {};
    }
  }

  Fault Prepare(Context& context, char mark, size_t position) {
    value = given;
    if constexpr (std::is_same_v<P, uint32_t>) {
      if (IsHandle(mark) && !context.handles().Resolve(context.esys(), mark, given, &value)) {
        return Refusal(TSS2_ESYS_RC_BAD_TR, "Argument " + std::to_string(position + 1) +
                                                " names nothing of the kind that is wanted here; it may be flushed.");
      }
    }
    return {};
  }

  P Argument() { return value; }
};

// A structure that goes in.
template <typename T>
struct Slot<const T*, void> {
  static constexpr bool kInput = true;
  static constexpr const char* kType = Wire<T>::name;
  T value{};
  bool present = false;

  ~Slot() { Wipe(&value, sizeof value); }

  Fault Parse(napi_env env, napi_value from, char mark, size_t position) {
    napi_valuetype type = napi_undefined;
    napi_typeof(env, from, &type);
    if (type == napi_null && mark == kBytesOrNull) return {};
    bool isTypedArray = false;
    napi_typedarray_type kind{};
    size_t length = 0;
    void* data = nullptr;
    if (napi_is_typedarray(env, from, &isTypedArray) != napi_ok || !isTypedArray ||
        napi_get_typedarray_info(env, from, &kind, &length, &data, nullptr, nullptr) != napi_ok ||
        kind != napi_uint8_array) {
      return WrongArgument(position, std::string("a Uint8Array with the bytes of a ") + kType);
    }
    if (length > kWireBytesMax) {
      return WrongArgument(position, std::string("a ") + kType + " of at most 4096 bytes");
    }
    return ReadCopy(static_cast<const uint8_t*>(data), length, position);
  }

  Fault ReadCopy(const uint8_t* data, size_t length, size_t position) {
    Bytes copy(length + kInputGuardBytes);
    if (length > 0) memcpy(copy.data(), data, length);
    const TSS2_RC rc = Read(copy.data(), length, &value);
    Wipe(copy);
    present = true;
    if (rc == TSS2_RC_SUCCESS) return {};
    Fault fault = FaultOf(rc);
    fault.layer = "mu";
    fault.text = "Argument " + std::to_string(position + 1) + " is no well-formed " + kType + ": " + fault.text;
    return fault;
  }

  Fault Prepare(Context&, char, size_t) { return {}; }
  const T* Argument() { return present ? &value : nullptr; }
};

// A structure that comes out.
template <typename T>
struct Slot<T**, void> {
  static constexpr bool kInput = false;
  static constexpr const char* kType = Wire<T>::name;
  T* value = nullptr;
  Bytes bytes;

  ~Slot() {
    Drop();
    Wipe(bytes);
  }

  T** Argument() { return &value; }

  TSS2_RC Take(Context&, char) {
    if (value == nullptr) return TSS2_ESYS_RC_BAD_REFERENCE;
    const TSS2_RC rc = Write(value, &bytes);
    Drop();
    return rc;
  }

  void Drop() {
    if (value == nullptr) return;
    Wipe(value, sizeof *value);
    Esys_Free(value);
    value = nullptr;
  }

  napi_value ToValue(napi_env env) {
    void* data = nullptr;
    napi_value buffer = nullptr;
    napi_value array = nullptr;
    if (napi_create_arraybuffer(env, bytes.size(), &data, &buffer) != napi_ok) return nullptr;
    if (!bytes.empty()) memcpy(data, bytes.data(), bytes.size());
    if (napi_create_typedarray(env, napi_uint8_array, bytes.size(), buffer, 0, &array) != napi_ok) return nullptr;
    return array;
  }
};

// A number or handle that comes out.
template <typename N>
struct Slot<N*, std::enable_if_t<std::is_integral_v<N>>> {
  static constexpr bool kInput = false;
  static constexpr const char* kType = IntegerName<N>();
  N value{};

  N* Argument() { return &value; }

  TSS2_RC Take(Context& context, char mark) {
    if constexpr (std::is_same_v<N, uint32_t>) {
      if (IsHandle(mark)) value = context.handles().Add(context.esys(), value);
    }
    return TSS2_RC_SUCCESS;
  }

  napi_value ToValue(napi_env env) {
    napi_value number = nullptr;
    napi_create_double(env, static_cast<double>(value), &number);
    return number;
  }
};

// A call whose arguments and results have the types of one prototype.
template <typename... P>
class EsysCall final : public Call {
 public:
  using Function = TSS2_RC (*)(ESYS_CONTEXT*, P...);
  static constexpr size_t kInputs = (size_t{Slot<P>::kInput} + ... + 0);
  static constexpr size_t kOutputs = sizeof...(P) - kInputs;

  EsysCall(const Binding& binding, Function function)
      : Call(binding.name), binding_(binding), function_(function) {}

  Fault Parse(napi_env env, const napi_value* arguments) {
    return ForEach([&](auto& slot, size_t position) -> Fault {
      if constexpr (std::decay_t<decltype(slot)>::kInput) {
        return slot.Parse(env, arguments[position], binding_.inputs[position], position);
      } else {
        return {};
      }
    });
  }

  Fault Run(Context& context) override {
    if (MakesHandle() && context.handles().full()) {
      return Refusal(TSS2_ESYS_RC_MEMORY, "1024 handles are open already; flush or close some of them.");
    }
    const Fault unprepared = Prepare(context);
    if (unprepared.any()) return unprepared;
    const TSS2_RC rc = std::apply(
        [&](auto&... slot) { return function_(context.esys(), slot.Argument()...); }, slots_);
    if (rc != TSS2_RC_SUCCESS) return FaultOf(rc);
    const Fault taken = Take(context);
    if (!taken.any()) Release(context);
    return taken;
  }

  // Nothing, the one result, or an array of the results in the order of the prototype.
  napi_value Result(napi_env env, napi_value) override {
    napi_value result = nullptr;
    if (kOutputs == 0) napi_get_undefined(env, &result);
    if (kOutputs > 1) napi_create_array_with_length(env, kOutputs, &result);
    bool whole = true;
    ForEach([&](auto& slot, size_t position) -> Fault {
      if constexpr (!std::decay_t<decltype(slot)>::kInput) {
        napi_value value = slot.ToValue(env);
        whole = whole && value != nullptr;
        if (kOutputs == 1) result = value;
        else if (whole) napi_set_element(env, result, static_cast<uint32_t>(position - kInputs), value);
      }
      return {};
    });
    return whole ? result : nullptr;
  }

 private:
  // Visits the slots in order until one has a fault.
  template <typename Visit>
  Fault ForEach(Visit visit) {
    Fault fault;
    size_t position = 0;
    std::apply([&](auto&... slot) { (void)((fault = visit(slot, position++), !fault.any()) && ...); }, slots_);
    return fault;
  }

  bool MakesHandle() const {
    for (const char mark : binding_.outputs) {
      if (IsHandle(mark)) return true;
    }
    return false;
  }

  Fault Prepare(Context& context) {
    return ForEach([&](auto& slot, size_t position) -> Fault {
      if constexpr (std::decay_t<decltype(slot)>::kInput) {
        return slot.Prepare(context, binding_.inputs[position], position);
      } else {
        return {};
      }
    });
  }

  Fault Take(Context& context) {
    return ForEach([&](auto& slot, size_t position) -> Fault {
      if constexpr (!std::decay_t<decltype(slot)>::kInput) {
        const TSS2_RC rc = slot.Take(context, binding_.outputs[position - kInputs]);
        if (rc != TSS2_RC_SUCCESS) return FaultOf(rc);
      }
      return {};
    });
  }

  // Forgets the handles that the command has made void.
  void Release(Context& context) {
    ForEach([&](auto& slot, size_t position) -> Fault {
      using S = std::decay_t<decltype(slot)>;
      if constexpr (S::kInput && std::is_same_v<decltype(slot.Argument()), uint32_t>) {
        const char mark = binding_.inputs[position];
        const bool gone = mark == kReleased || mark == kUndefined || (mark == kEvicted && NoHandleCameBack());
        if (gone) context.handles().Forget(slot.given);
      }
      return {};
    });
  }

  bool NoHandleCameBack() {
    bool none = true;
    ForEach([&](auto& slot, size_t position) -> Fault {
      if constexpr (!std::decay_t<decltype(slot)>::kInput) {
        if constexpr (std::is_same_v<decltype(slot.Argument()), uint32_t*>) {
          if (IsHandle(binding_.outputs[position - kInputs])) none = none && slot.value == ESYS_TR_NONE;
        }
      }
      return {};
    });
    return none;
  }

  const Binding& binding_;
  const Function function_;
  std::tuple<Slot<P>...> slots_;
};

// Whether the marks fit the prototype: as many, handles only where the type is uint32_t, bytes only where it is a pointer.
template <typename... P>
constexpr bool MarksFit(TSS2_RC (*)(ESYS_CONTEXT*, P...), std::string_view inputs, std::string_view outputs) {
  using C = EsysCall<P...>;
  if (inputs.size() != C::kInputs || outputs.size() != C::kOutputs) return false;
  constexpr bool structure[] = {(!std::is_integral_v<P> && !std::is_integral_v<std::remove_pointer_t<P>>)..., false};
  constexpr bool word[] = {(std::is_same_v<P, uint32_t> || std::is_same_v<P, uint32_t*>)..., false};
  for (size_t i = 0; i < sizeof...(P); i++) {
    const char mark = i < C::kInputs ? inputs[i] : outputs[i - C::kInputs];
    if ((mark == kBytes || mark == kBytesOrNull) != structure[i]) return false;
    if (IsHandle(mark) && !word[i]) return false;
  }
  return true;
}

template <auto F>
struct Bound;

template <typename... P, TSS2_RC (*F)(ESYS_CONTEXT*, P...)>
struct Bound<F> {
  static std::unique_ptr<Call> Parse(napi_env env, const Binding& binding, const napi_value* arguments, Fault* fault) {
    auto call = std::make_unique<EsysCall<P...>>(binding, F);
    *fault = call->Parse(env, arguments);
    return call;
  }
  static std::vector<const char*> Describe() { return {Slot<P>::kType...}; }
};

}  // namespace capstan
