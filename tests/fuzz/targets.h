// A Target is one parser of the service as a function of any bytes: the fuzzers call it with what they make up
// (libFuzzer, one program per target), the test fuzz_corpus with the files under corpus/<name>/. It must return; a
// property that does not hold is a Broken, which libFuzzer takes for a crash and the test for a failure.
//
// Threads: one at a time. What a target keeps between calls (a picture, the Api) never depends on earlier inputs.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "service/core/base/result.h"

namespace emplace::fuzz {

void framing(std::string_view input);
void placement(std::string_view input);
void inventory(std::string_view input);
void change(std::string_view input);
void api(std::string_view input);
void manifest(std::string_view input);
void plugin_configuration(std::string_view input);
void service_configuration(std::string_view input);
void openstack_answers(std::string_view input);
void nova_conf(std::string_view input);

struct Broken : std::logic_error {
  using std::logic_error::logic_error;
};

inline void require(bool holds, const std::string& what) {
  if (!holds) throw Broken(what.substr(0, 1000));
}

// What every message about bad input is: kInvalid, one short text in UTF-8 that a JSON answer and a log line can carry.
void require_clear(const Error& error);

// Cuts the first line off, without its '\n'; all of it when there is none.
std::string_view first_line(std::string_view& input);

}  // namespace emplace::fuzz
