// Ini: the sections of nova.conf and the texts of their options, as oslo.config reads them; of one file, or of several
// in the order in which Nova reads them.
//
//   Ini ini;
//   ini.add(text, "/etc/nova/nova.conf");   // as often as there are files
//   ini.find("filter_scheduler", "max_io_ops_per_host");
//
// By hand, since oslo's dialect is nobody else's: an option may be given several times and keeps all its texts, a line
// that begins with a blank goes on the option above, comments stand on lines of their own, both '=' and ':' assign, one
// pair of quotes around a text is dropped. inih cuts off "; comments" and keeps quotes, SimpleIni and Boost's reader
// know no continued lines.
//
// Section names are the same in upper and lower case, but for DEFAULT; option names are not.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"

namespace emplace::novaconf {

class Ini {
 public:
  // All texts of an option in the order of the files: what counts is the last, or all where the option is a
  // multi-valued one. The lines of a continued text are joined by newlines.
  using Section = std::map<std::string, std::vector<std::string>, std::less<>>;

  // kInvalid naming file and line where oslo.config gives up too. Then nothing was added.
  Result<void> add(std::string_view text, const std::string& file);

  bool empty() const;  // no option at all
  const std::vector<std::string>* find(std::string_view section, std::string_view name) const;
  const Section& section(std::string_view name) const;

 private:
  std::map<std::string, Section, std::less<>> sections_;
};

// As Python's str.strip(): also the blanks that Unicode has.
std::string_view stripped(std::string_view text);

}  // namespace emplace::novaconf
