#include "service/hypervisor/domain_template.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>

#include "service/hypervisor/xml.h"

namespace emplace {
namespace {

constexpr std::string_view kParameter = "parameter.";
constexpr std::array<std::string_view, 16> kTemplateNames = {
    "name",     "uuid",    "claim", "host",  "domain_type", "arch",      "memory_mib", "vcpus",
    "disk_gib", "project", "group", "image", "flavor",      "cell_cpus", "cell_nodes", "cell_mode"};

bool is_parameter(std::string_view name) {
  return name.size() > kParameter.size() && name.substr(0, kParameter.size()) == kParameter;
}

bool known(std::string_view name) {
  return is_parameter(name) || std::find(kTemplateNames.begin(), kTemplateNames.end(), name) != kTemplateNames.end();
}

const std::string* given(const DomainTemplate::Values& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() || found->second.empty() ? nullptr : &found->second;
}

}  // namespace

std::span<const std::string_view> template_names() { return kTemplateNames; }

// Recursive descent over the text; nesting is bounded because each level costs a section of the operator's own file.
struct DomainTemplate::Reader {
  std::string_view text;
  const std::string& origin;
  std::set<std::string>& names;
  std::size_t at = 0;
  int line = 1;

  static constexpr int kDeepest = 32;

  tl::unexpected<Error> error(const std::string& message) const {
    return fail(ErrorCode::kInvalid, fmt::format("{} line {}: {}", origin, line, message));
  }

  std::string_view take(std::size_t count) {
    const std::string_view taken = text.substr(at, count);
    line += static_cast<int>(std::count(taken.begin(), taken.end(), '\n'));
    at += count;
    return taken;
  }

  // Up to the end of the section `open` (empty: of the text).
  Result<std::vector<Part>> read(const std::string& open, int depth) {
    if (depth > kDeepest) return error("sections are nested too deeply");
    std::vector<Part> parts;
    for (;;) {
      const std::size_t next = text.find("${", at);
      const std::string_view plain = take(std::min(next, text.size()) - at);
      if (!plain.empty()) parts.push_back({Kind::kText, std::string(plain), {}, false, line, {}});
      if (next == std::string_view::npos) {
        if (!open.empty()) return error("${?" + open + "} is not closed by ${/" + open + "}");
        return parts;
      }
      const std::size_t end = text.find('}', at);
      if (end == std::string_view::npos) return error("\"${\" without \"}\"");
      const std::string_view inside = take(end + 1 - at).substr(2, end - next - 2);
      if (!inside.empty() && inside.front() == '/') {
        if (open.empty() || inside.substr(1) != open) return error(fmt::format("${{{}}} closes nothing", inside));
        return parts;
      }
      auto part = read_part(inside, depth);
      if (!part) return tl::unexpected<Error>(part.error());
      parts.push_back(std::move(*part));
    }
  }

  Result<Part> read_part(std::string_view inside, int depth) {
    Part part{Kind::kValue, {}, {}, false, line, {}};
    std::string_view name = inside;
    if (!inside.empty() && (inside.front() == '?' || inside.front() == '!')) {
      part.kind = inside.front() == '?' ? Kind::kWhenGiven : Kind::kWhenMissing;
      name = inside.substr(1);
    } else if (const std::size_t colon = inside.find(":-"); colon != std::string_view::npos) {
      name = inside.substr(0, colon);
      part.otherwise = std::string(inside.substr(colon + 2));
      part.has_otherwise = true;
    }
    if (!known(name)) {
      return error(fmt::format("${{{}}}: there is no value \"{}\"; wanted parameter.NAME or one of {}", inside, name,
                               fmt::join(template_names(), " ")));
    }
    part.text = std::string(name);
    names.insert(part.text);
    if (part.kind == Kind::kValue) return part;
    auto parts = read(part.text, depth + 1);
    if (!parts) return tl::unexpected<Error>(parts.error());
    part.parts = std::move(*parts);
    return part;
  }
};

Result<DomainTemplate> DomainTemplate::parse(std::string_view text, std::string origin) {
  DomainTemplate parsed;
  parsed.origin_ = std::move(origin);
  Reader reader{text, parsed.origin_, parsed.names_};
  auto parts = reader.read("", 0);
  if (!parts) return tl::unexpected<Error>(parts.error());
  parsed.parts_ = std::move(*parts);
  for (const char* const needed : {"name", "uuid", "claim"}) {
    if (parsed.names_.count(needed) != 0) continue;
    return fail(ErrorCode::kInvalid, fmt::format("{}: ${{{}}} is missing; without it a domain can't be told for ours",
                                                 parsed.origin_, needed));
  }
  return parsed;
}

Result<DomainTemplate> DomainTemplate::load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return fail(ErrorCode::kInvalid, fmt::format("{}: the domain template can't be read", path));
  return parse(text, path);
}

Result<std::string> DomainTemplate::expand(const Values& values) const {
  if (auto used = check_all_used(values); !used) return tl::unexpected<Error>(used.error());
  std::string out;
  if (auto appended = append(parts_, values, out); !appended) return tl::unexpected<Error>(appended.error());
  return out;
}

Result<void> DomainTemplate::check_all_used(const Values& values) const {
  for (const auto& [name, value] : values) {
    if (!is_parameter(name) || names_.count(name) != 0) continue;
    std::vector<std::string> takes;
    for (const std::string& one : names_) {
      if (is_parameter(one)) takes.push_back(one.substr(kParameter.size()));
    }
    return fail(ErrorCode::kInvalid, fmt::format("vm.parameters.{}: the template {} has no such parameter; it has: {}",
                                                 name.substr(kParameter.size()), origin_, fmt::join(takes, " ")));
  }
  return {};
}

Result<void> DomainTemplate::append(const std::vector<Part>& parts, const Values& values, std::string& out) const {
  for (const Part& part : parts) {
    if (part.kind == Kind::kText) {
      out += part.text;
    } else if (part.kind == Kind::kValue) {
      auto value = value_of(part, values);
      if (!value) return tl::unexpected<Error>(value.error());
      out += *value;
    } else if ((given(values, part.text) != nullptr) == (part.kind == Kind::kWhenGiven)) {
      if (auto inner = append(part.parts, values, out); !inner) return inner;
    }
  }
  return {};
}

Result<std::string> DomainTemplate::value_of(const Part& part, const Values& values) const {
  const std::string* const value = given(values, part.text);
  if (value == nullptr && part.has_otherwise) return part.otherwise;
  if (value == nullptr) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{} line {}: ${{{}}} has no value for this vm", origin_, part.line, part.text));
  }
  auto escaped = escape_xml(*value);
  if (escaped) return escaped;
  return fail(ErrorCode::kInvalid, fmt::format("{} line {}: the value of ${{{}}} {}", origin_, part.line, part.text,
                                               escaped.error().message));
}

}  // namespace emplace
