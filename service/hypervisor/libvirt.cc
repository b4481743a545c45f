#include "service/hypervisor/libvirt.h"

#include <fmt/format.h>

namespace emplace {
namespace {

ErrorCode code_of(int libvirt) {
  switch (libvirt) {
    case VIR_ERR_NO_DOMAIN:
      return ErrorCode::kNotFound;
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_OPERATION_DENIED:
    case VIR_ERR_OPERATION_FAILED:
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_DOM_EXIST:
    case VIR_ERR_MIGRATE_UNSAFE:
      return ErrorCode::kConflict;
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_XML_INVALID_SCHEMA:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_INVALID_ARG:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
      return ErrorCode::kInvalid;
    case VIR_ERR_OPERATION_TIMEOUT:
      return ErrorCode::kTimeout;
    default:
      return ErrorCode::kUnavailable;
  }
}

// One line: libvirt's texts may carry a whole log of QEMU.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

Error libvirt_error(const std::string& what) {
  const virError* const last = virGetLastError();
  const int code = last == nullptr ? 0 : last->code;
  const std::string text = last == nullptr || last->message == nullptr ? "no message" : one_line(last->message);
  return Error{code_of(code), fmt::format("{}: {} (libvirt error {})", what, text, code),
               fmt::format("libvirt.{}", code)};
}

int libvirt_code() {
  const virError* const last = virGetLastError();
  return last == nullptr ? 0 : last->code;
}

Uuid uuid_of(virDomainPtr domain) {
  Uuid id;
  virDomainGetUUID(domain, id.bytes.data());
  return id;
}

}  // namespace emplace
