#include "service/store/address.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <charconv>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>

namespace emplace {
namespace {

struct Setting {
  const char* name;
  const char* value;
};

// What libpq is told unless the operator's string says something else. Milliseconds for tcp_user_timeout, seconds else.
constexpr Setting kConnecting[] = {
    {"connect_timeout", "2"},
    {"client_encoding", "UTF8"},
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},
    {"target_session_attrs", "read-write"},
};

constexpr struct {
  const char* text;
  int since;  // the server's version
} kSettings[] = {
    // What is written and read means the same everywhere.
    {"client_encoding = 'UTF8'", 0},
    {"standard_conforming_strings = on", 0},
    {"array_nulls = on", 0},
    {"DateStyle = 'ISO, YMD'", 0},
    {"IntervalStyle = 'postgres'", 0},
    {"TimeZone = 'UTC'", 0},
    {"extra_float_digits = 1", 0},
    {"bytea_output = 'hex'", 0},
    {"xmloption = 'content'", 0},
    {"client_min_messages = warning", 0},
    {"exit_on_error = off", 0},
    {"SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, NOT DEFERRABLE", 0},
    // Who stopped in the middle holds nobody else up: a replica that is frozen or gone loses its locks.
    {"idle_in_transaction_session_timeout = '5s'", 0},
    {"tcp_user_timeout = '10s'", 0},
    {"tcp_keepalives_idle = 5", 0},
    {"tcp_keepalives_interval = 2", 0},
    {"tcp_keepalives_count = 3", 0},
    {"client_connection_check_interval = '1s'", 140000},
    // Everything else that takes too long is cut off by our own deadlines.
    {"statement_timeout = 0", 0},
    {"idle_session_timeout = 0", 140000},
    {"transaction_timeout = 0", 170000},
    // Every statement finds its rows by an index. A plan that was kept from when a table was nearly empty would read
    // all of
    // it ever after.
    {"enable_seqscan = off", 0},
    {"enable_indexscan = on", 0},
    {"enable_indexonlyscan = on", 0},
    {"enable_bitmapscan = on", 0},
    {"enable_nestloop = on", 0},
    {"enable_hashjoin = on", 0},
    {"enable_mergejoin = on", 0},
    {"enable_hashagg = on", 0},
    {"enable_sort = on", 0},
    {"enable_material = on", 0},
    {"from_collapse_limit = 8", 0},
    {"join_collapse_limit = 8", 0},
    {"plan_cache_mode = auto", 0},
    // Statements take less than a millisecond: compiling them, or starting workers, takes longer. Disabling sequential
    // scans
    // makes plans look expensive, so that a stock server would compile every one.
    {"jit = off", 0},
    {"max_parallel_workers_per_gather = 0", 0},
};

const char* name_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::kClaims:
      return "claims";
    case Purpose::kWork:
      return "work";
    case Purpose::kEvents:
      return "events";
    case Purpose::kMigration:
      break;
  }
  return "migration";
}

// As in a connection string: a quote or backslash within is escaped.
std::string word(std::string_view keyword, std::string_view value) {
  std::string text = fmt::format("{}='", keyword);
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "' ";
}

std::string identifier(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + '"';
}

// One port for each of several hosts, or for all; an empty one is the usual one.
bool are_ports(std::string_view text) {
  while (true) {
    const std::string_view port = text.substr(0, text.find(','));
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (!port.empty() && (error != std::errc() || end != port.data() + port.size() || number == 0)) return false;
    if (port.size() == text.size()) return true;
    text.remove_prefix(port.size() + 1);
  }
}

}  // namespace

std::string connection_string(const Address& address, Purpose purpose) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> given(
      PQconninfoParse(address.connection.c_str(), nullptr), PQconninfoFree);
  if (!given) return address.connection;
  std::string text, names;
  for (const PQconninfoOption* option = given.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    text += word(option->keyword, option->val);
    names += fmt::format(" {} ", option->keyword);
  }
  for (const Setting& setting : kConnecting)
    if (names.find(fmt::format(" {} ", setting.name)) == std::string::npos) text += word(setting.name, setting.value);
  if (names.find(" application_name ") == std::string::npos)
    text += word("application_name", fmt::format("emplace {} {}", address.replica, name_of(purpose)));
  return text;
}

Result<void> check_connection_string(const std::string& text) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> given(PQconninfoParse(text.c_str(), nullptr),
                                                                           PQconninfoFree);
  for (const PQconninfoOption* option = given.get(); option && option->keyword != nullptr; ++option) {
    // libpq itself looks at them only when it connects.
    if (option->val == nullptr || std::string_view(option->keyword) != "port" || are_ports(option->val)) continue;
    return fail(ErrorCode::kInvalid, "wanted ports from 1 to 65535");
  }
  if (given) return {};
  return fail(ErrorCode::kInvalid,
              "wanted postgresql://USER@HOST/DATABASE or what else libpq reads as a connection string");
}

std::string settings(const Address& address, Purpose purpose, int server_version) {
  std::string text = fmt::format("SET search_path = {}, pg_temp;", identifier(address.schema));
  for (const auto& setting : kSettings)
    if (server_version >= setting.since) text += fmt::format("SET {};", setting.text);
  // Statements on claims get arrays of all lengths. For a short one a plan of its own looks cheaper than the general
  // one, so that they were planned each time, which takes longer than running them.
  if (purpose == Purpose::kClaims) text += "SET plan_cache_mode = force_generic_plan;";
  text += fmt::format("SET lock_timeout = {};", purpose == Purpose::kClaims ? "'3s'" : "0");
  // What was answered is on the disk; an operator may want it on more than one.
  return text +
         "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"
         "SELECT pg_backend_pid()";
}

}  // namespace emplace
