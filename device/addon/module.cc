// Module: what JavaScript sees: `open(tcti)`, which resolves to a context with one method for each binding and `close`,
// `signatures`, the table of the bindings for type-directed tests (typed in device/tpm/esys.ts), and the calls of board.h.
#define NAPI_VERSION 8
#include <node_api.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "bindings.h"
#include "board.h"

namespace capstan {

namespace {

constexpr napi_type_tag kContextTag = {0x2b3f6a1c90d84e57, 0xa6c1f0d3527be894};
constexpr size_t kTctiBytesMax = 512;
constexpr size_t kArgumentsMax = 16;

struct Instance {
  napi_ref constructor = nullptr;
  bool constructing = false;
};

using Held = std::shared_ptr<Queue>;

Instance* InstanceOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Instance*>(data);
}

napi_value Undefined(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

napi_value Text(napi_env env, std::string_view text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

// The queue behind a receiver, or nullptr with an exception pending when it is no context of this addon.
Held* QueueOf(napi_env env, napi_value receiver) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, receiver, &kContextTag, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, receiver, &data) == napi_ok) {
    return static_cast<Held*>(data);
  }
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_type_error(env, "ERR_TPM_RECEIVER", "The receiver of this method is not a TPM context.");
  return nullptr;
}

// One method of a context: parses the arguments now, runs when its turn comes.
napi_value Invoke(napi_env env, napi_callback_info info) {
  size_t count = kArgumentsMax;
  std::array<napi_value, kArgumentsMax> arguments{};
  napi_value receiver = nullptr;
  void* data = nullptr;
  if (napi_get_cb_info(env, info, &count, arguments.data(), &receiver, &data) != napi_ok) return nullptr;
  Held* queue = QueueOf(env, receiver);
  if (queue == nullptr) return nullptr;
  const Binding& binding = *static_cast<const Binding*>(data);
  if (count != binding.inputs.size()) {
    const std::string text = "Takes " + std::to_string(binding.inputs.size()) + " arguments, not " +
                             std::to_string(count) + ".";
    return Rejected(env, binding.name, Refusal(TSS2_ESYS_RC_BAD_VALUE, text));
  }
  Fault fault;
  std::unique_ptr<Call> call = binding.parse(env, binding, arguments.data(), &fault);
  if (fault.any()) return Rejected(env, binding.name, fault);
  return (*queue)->Append(env, receiver, std::move(call));
}

// Opening: RequireOpen has done the work before Run; the result is the context itself.
class OpenCall final : public Call {
 public:
  OpenCall() : Call("open") {}
  Fault Run(Context&) override { return {}; }
  napi_value Result(napi_env, napi_value context) override { return context; }
};

class CloseCall final : public Call {
 public:
  CloseCall() : Call("close") {}
  Fault Run(Context& context) override {
    context.FlushAndClose();
    return {};
  }
  napi_value Result(napi_env env, napi_value) override { return Undefined(env); }
  bool needsOpen() const override { return false; }
};

napi_value Close(napi_env env, napi_callback_info info) {
  napi_value receiver = nullptr;
  if (napi_get_cb_info(env, info, nullptr, nullptr, &receiver, nullptr) != napi_ok) return nullptr;
  Held* queue = QueueOf(env, receiver);
  if (queue == nullptr) return nullptr;
  napi_value promise = (*queue)->Append(env, receiver, std::make_unique<CloseCall>());
  (*queue)->Shut();
  return promise;
}

// Transports that reach a TPM. Names are given, not paths: the loader of libtss2 would open any library it is told.
bool IsExplicitTcti(std::string_view tcti) {
  for (std::string_view prefix : {"device:", "swtpm:", "mssim:", "libtpms:", "tabrmd:", "pcap:"}) {
    if (tcti.size() > prefix.size() && tcti.substr(0, prefix.size()) == prefix) return true;
  }
  return false;
}

bool ReadTcti(napi_env env, napi_value from, std::string* tcti) {
  std::array<char, kTctiBytesMax + 2> text{};
  size_t length = 0;
  if (napi_get_value_string_utf8(env, from, text.data(), text.size(), &length) != napi_ok) return false;
  *tcti = std::string(text.data(), length);
  return length <= kTctiBytesMax && strlen(text.data()) == length && IsExplicitTcti(*tcti);
}

napi_value Open(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok) return nullptr;
  std::string tcti;
  if (count < 1 || !ReadTcti(env, argument, &tcti)) {
    return Rejected(env, "open", Refusal(TSS2_TCTI_RC_BAD_VALUE,
                                         "Say which TPM, for example device:/dev/tpmrm0 or swtpm:path=/run/swtpm; "
                                         "nothing is guessed."));
  }
  Instance* instance = InstanceOf(env);
  napi_value constructor = nullptr;
  napi_value context = nullptr;
  napi_get_reference_value(env, instance->constructor, &constructor);
  instance->constructing = true;
  const napi_status made = napi_new_instance(env, constructor, 1, &argument, &context);
  instance->constructing = false;
  if (made != napi_ok) return nullptr;
  Held* queue = QueueOf(env, context);
  return queue == nullptr ? nullptr : (*queue)->Append(env, context, std::make_unique<OpenCall>());
}

void Finalize(napi_env, void* data, void*) { delete static_cast<Held*>(data); }

napi_value Construct(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_value self = nullptr;
  if (napi_get_cb_info(env, info, &count, &argument, &self, nullptr) != napi_ok) return nullptr;
  std::string tcti;
  if (!InstanceOf(env)->constructing || !ReadTcti(env, argument, &tcti)) {
    napi_throw_type_error(env, "ERR_TPM_RECEIVER", "A TPM context is made by open(tcti) only.");
    return nullptr;
  }
  auto* held = new Held(std::make_shared<Queue>(tcti));
  if (napi_wrap(env, self, held, Finalize, nullptr, nullptr) != napi_ok) {
    delete held;
    return nullptr;
  }
  napi_type_tag_object(env, self, &kContextTag);
  return self;
}

napi_value DefineContext(napi_env env) {
  std::vector<napi_property_descriptor> methods;
  for (const Binding& binding : AllBindings()) {
    methods.push_back({binding.name, nullptr, Invoke, nullptr, nullptr, nullptr, napi_default,
                       const_cast<Binding*>(&binding)});
  }
  methods.push_back({"close", nullptr, Close, nullptr, nullptr, nullptr, napi_default, nullptr});
  napi_value constructor = nullptr;
  napi_define_class(env, "TpmContext", NAPI_AUTO_LENGTH, Construct, nullptr, methods.size(), methods.data(),
                    &constructor);
  return constructor;
}

napi_value SignatureOf(napi_env env, const Binding& binding) {
  napi_value signature = nullptr;
  napi_value types = nullptr;
  napi_create_object(env, &signature);
  napi_create_array(env, &types);
  uint32_t index = 0;
  for (const char* type : binding.describe()) napi_set_element(env, types, index++, Text(env, type));
  napi_set_named_property(env, signature, "name", Text(env, binding.name));
  napi_set_named_property(env, signature, "inputs", Text(env, binding.inputs));
  napi_set_named_property(env, signature, "outputs", Text(env, binding.outputs));
  napi_set_named_property(env, signature, "types", types);
  return signature;
}

napi_value Signatures(napi_env env) {
  napi_value all = nullptr;
  napi_create_array(env, &all);
  uint32_t index = 0;
  for (const Binding& binding : AllBindings()) napi_set_element(env, all, index++, SignatureOf(env, binding));
  return all;
}

void DeleteInstance(napi_env, void* data, void*) { delete static_cast<Instance*>(data); }

napi_value Init(napi_env env, napi_value exports) {
  // tpm2-tss would write parameters, secrets among them, to standard error.
  setenv("TSS2_LOG", "all+NONE", 1);
  auto* instance = new Instance;
  napi_set_instance_data(env, instance, DeleteInstance, nullptr);
  napi_create_reference(env, DefineContext(env), 1, &instance->constructor);
  napi_value open = nullptr;
  napi_create_function(env, "open", NAPI_AUTO_LENGTH, Open, nullptr, &open);
  napi_set_named_property(env, exports, "open", open);
  napi_set_named_property(env, exports, "signatures", Signatures(env));
  DefineBoard(env, exports);
  return exports;
}

}  // namespace

}  // namespace capstan

NAPI_MODULE_INIT() { return capstan::Init(env, exports); }
