// DomainTemplate: the libvirt XML of a vm with places for its values, as an operator writes it.
//
//   ${name}                      the value, escaped for XML; an error when there is none
//   ${parameter.machine:-pc}     the value, or the text after ":-" (XML as it stands, without "}") when there is none
//   ${?parameter.disk} ... ${/parameter.disk}   the text between them only when there is a value
//   ${!parameter.disk} ... ${/parameter.disk}   only when there is none
//
// A "$" without "{" is itself. Names are kTemplateNames, and parameter.NAME for the parameters of the request. An empty
// value counts as none. Anything else between "${" and "}" is an error when the template is read, with its line; a
// parameter of the request that the template does not have is an error when it is expanded: nothing is ignored in
// silence.
//
// Threads: immutable after parse().
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"

namespace emplace {

// name uuid claim host: text; domain_type: kvm, qemu or test; arch: of the host; memory_mib vcpus disk_gib: numbers;
// project group image flavor: as in the request; cell_cpus cell_nodes cell_mode: only for a vm whose claim has NUMA
// cells, on a real host: its CPUs ("0-3,8"), its nodes ("0,1") and strict (one cell) or interleave (equal shares of
// several).
std::span<const std::string_view> template_names();

// What boots a guest from the request's parameters alone; compiled in.
std::string_view default_domain_template();

class DomainTemplate {
 public:
  // `origin` (a file's name) opens each message.
  static Result<DomainTemplate> parse(std::string_view text, std::string origin);
  static Result<DomainTemplate> load(const std::string& path);

  using Values = std::map<std::string, std::string>;
  Result<std::string> expand(const Values& values) const;
  const std::set<std::string>& names() const { return names_; }  // used anywhere in it

 private:
  enum class Kind { kText, kValue, kWhenGiven, kWhenMissing };
  struct Part {
    Kind kind = Kind::kText;
    std::string text;  // of kText; else the name
    std::string otherwise = {};
    bool has_otherwise = false;
    int line = 0;
    std::vector<Part> parts = {};
  };
  struct Reader;

  Result<void> append(const std::vector<Part>& parts, const Values& values, std::string& out) const;
  Result<std::string> value_of(const Part& part, const Values& values) const;
  Result<void> check_all_used(const Values& values) const;

  std::string origin_;
  std::vector<Part> parts_;
  std::set<std::string> names_;
};

}  // namespace emplace
