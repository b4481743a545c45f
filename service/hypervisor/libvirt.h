// libvirt's handles as values that close themselves, and its errors as Error. The one place that knows how libvirt
// counts references; everything else in this room passes these around.
//
// Threads: a libvirt handle may be used by several threads at once; libvirt's last error is the calling thread's own,
// so libvirt_error() must be called on the thread that saw the call fail, and before the next call.
#pragma once

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/base/uuid.h"

namespace emplace {

struct ReleaseHandle {
  void operator()(virConnect* handle) const { virConnectClose(handle); }
  void operator()(virDomain* handle) const { virDomainFree(handle); }
  void operator()(virStoragePool* handle) const { virStoragePoolFree(handle); }
  void operator()(char* text) const { std::free(text); }
};

using Connection = std::unique_ptr<virConnect, ReleaseHandle>;
using Domain = std::unique_ptr<virDomain, ReleaseHandle>;
using Pool = std::unique_ptr<virStoragePool, ReleaseHandle>;
using LibvirtText = std::unique_ptr<char, ReleaseHandle>;

// Typed parameters that a call gave us or takes from us. virInitialize() must have run before the first add.
class TypedParameters {
 public:
  TypedParameters() = default;
  TypedParameters(virTypedParameterPtr values, int count) : values_(values), count_(count) {}
  TypedParameters(const TypedParameters&) = delete;
  TypedParameters& operator=(const TypedParameters&) = delete;
  ~TypedParameters() { virTypedParamsFree(values_, count_); }

  bool add(const char* name, const std::string& value) {
    return virTypedParamsAddString(&values_, &count_, &room_, name, value.c_str()) == 0;
  }
  bool add(const char* name, unsigned long long value) {
    return virTypedParamsAddULLong(&values_, &count_, &room_, name, value) == 0;
  }
  std::optional<unsigned long long> get(const char* name) const {
    unsigned long long value = 0;
    if (virTypedParamsGetULLong(values_, count_, name, &value) != 1) return std::nullopt;
    return value;
  }
  std::optional<int> get_int(const char* name) const {
    int value = 0;
    if (virTypedParamsGetInt(values_, count_, name, &value) != 1) return std::nullopt;
    return value;
  }
  virTypedParameterPtr values() const { return values_; }
  int count() const { return count_; }

 private:
  virTypedParameterPtr values_ = nullptr;
  int count_ = 0, room_ = 0;
};

// An array of handles as libvirt's list calls give it: each handle becomes ours, the array itself is freed.
template <typename Handle, typename Raw>
std::vector<Handle> take_handles(Raw** array, int count) {
  std::vector<Handle> handles;
  for (int i = 0; i < count; ++i) handles.emplace_back(array[i]);
  std::free(static_cast<void*>(array));
  return handles;
}

// The calling thread's last libvirt error. `what` says in an operator's words which act failed and where; the message
// carries libvirt's code and text, detail_code is "libvirt.CODE".
Error libvirt_error(const std::string& what);
inline tl::unexpected<Error> libvirt_fail(const std::string& what) {
  return tl::unexpected<Error>(libvirt_error(what));
}
int libvirt_code();  // of the last error; 0: none

// The handle of a domain, or null with libvirt_code() == VIR_ERR_NO_DOMAIN when there is none.
inline Domain domain_of(virConnectPtr connection, const Uuid& id) {
  return Domain(virDomainLookupByUUID(connection, id.bytes.data()));
}
Uuid uuid_of(virDomainPtr domain);

}  // namespace emplace
