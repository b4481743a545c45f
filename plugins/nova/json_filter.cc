// JsonFilter: the hint `query` is an expression in JSON, [operator, argument, ...], over the host's attributes:
// [">=", "$free_ram_mb", 1024]. Arguments are compared as Python compares them; an argument that names nothing the host
// has is left out. What Python can't compare fails the filter, as it fails the whole request in Nova.
#include <algorithm>

#include "amounts.h"
#include "rules.h"

namespace emplace::nova {
namespace {

using List = Value::List;

// Of these Nova's host states hold objects, which equal no value of JSON.
bool is_opaque(std::string_view attribute) {
  constexpr std::string_view kOpaque[] = {"host_ip", "updated", "metrics", "numa_topology", "pci_stats", "_lock_name"};
  return std::ranges::find(kOpaque, attribute) != std::end(kOpaque);
}
constexpr std::string_view kObject = "nova_object.opaque";

[[noreturn]] void raise(const std::string& wanted, const Value& found) {
  throw plugin::Error("scheduler_hints.query: wanted " + wanted + ", found " + found.repr());
}

// ---- comparing

bool equal(const Value& a, const Value& b);

bool equal_lists(const List& a, const List& b) { return std::ranges::equal(a, b, equal); }

bool equal_dicts(const Value::Dict& a, const Value& b) {
  return a.size() == b.dict()->size() && std::ranges::all_of(a, [&](const auto& item) {
           const Value* other = b.find(item.first);
           return other && equal(item.second, *other);
         });
}

bool equal(const Value& a, const Value& b) {
  if (a.number() && b.number()) return *a.number() == *b.number();
  if (a.text() && b.text()) return *a.text() == *b.text();
  if (a.list() && b.list()) return equal_lists(*a.list(), *b.list());
  if (a.dict() && b.dict()) return equal_dicts(*a.dict(), b);
  return a.is_none() && b.is_none();
}

template <typename T>
int sign(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// Below, at or above zero as a is to b.
int compare(const Value& a, const Value& b) {
  if (a.number() && b.number()) return sign(*a.number(), *b.number());
  if (a.text() && b.text()) return sign(*a.text(), *b.text());
  if (a.find(kObject) && equal(a, b)) return 0;
  if (!a.list() || !b.list()) raise("values that can be compared", Value(List{a, b}));
  const auto [first, second] = std::ranges::mismatch(*a.list(), *b.list(), equal);
  const bool differ = first != a.list()->end() && second != b.list()->end();
  return differ ? compare(*first, *second) : sign(a.list()->size(), b.list()->size());
}

// ---- operators

using Operator = Value (*)(const List&);

// Compares with all of the others, whatever the first ones say: one that can't be compared is an error.
template <typename Holds>
Value first_to_all(const List& arguments, Holds holds) {
  bool all = arguments.size() >= 2;
  for (std::size_t i = 1; i < arguments.size(); ++i) all = holds(arguments[0], arguments[i]) && all;
  return Value(all);
}

Value is_equal(const List& arguments) { return first_to_all(arguments, equal); }
Value is_less(const List& arguments) {
  return first_to_all(arguments, [](const Value& a, const Value& b) { return compare(a, b) < 0; });
}
Value is_greater(const List& arguments) {
  return first_to_all(arguments, [](const Value& a, const Value& b) { return compare(a, b) > 0; });
}
Value is_at_most(const List& arguments) {
  return first_to_all(arguments, [](const Value& a, const Value& b) { return compare(a, b) <= 0; });
}
Value is_at_least(const List& arguments) {
  return first_to_all(arguments, [](const Value& a, const Value& b) { return compare(a, b) >= 0; });
}
Value is_in(const List& arguments) {
  return Value(arguments.size() >= 2 && std::any_of(arguments.begin() + 1, arguments.end(),
                                                    [&](const Value& other) { return equal(arguments[0], other); }));
}
// One answer for each argument.
Value negate(const List& arguments) {
  List answers;
  for (const Value& argument : arguments) answers.emplace_back(!argument.truthy());
  return Value(std::move(answers));
}
Value any(const List& arguments) { return Value(std::ranges::any_of(arguments, &Value::truthy)); }
Value all(const List& arguments) { return Value(std::ranges::all_of(arguments, &Value::truthy)); }

Operator operator_of(const Value& name) {
  constexpr std::pair<std::string_view, Operator> kOperators[] = {
      {"=", is_equal},     {"<", is_less},  {">", is_greater}, {"in", is_in}, {"<=", is_at_most},
      {">=", is_at_least}, {"not", negate}, {"or", any},       {"and", all}};
  for (const auto& [known, method] : kOperators) {
    if (name.text() && *name.text() == known) return method;
  }
  raise("an operator", name);
}

// ---- evaluating

class Host {
 public:
  Host(const Amounts& amounts, std::uint32_t row, const HostState* state)
      : amounts_(amounts), row_(row), state_(state) {}

  // The query's value: a truth, or a list of them.
  Value evaluate(const Value& query) const {
    if (!query.truthy()) return Value(true);
    if (!query.list()) raise("a list", query);
    const Operator method = operator_of(query.list()->front());
    List arguments;
    for (const Value& written : std::span(*query.list()).subspan(1)) {
      Value argument = argument_of(written);
      if (!argument.is_none()) arguments.push_back(std::move(argument));
    }
    return method(arguments);
  }

 private:
  Value argument_of(const Value& written) const {
    if (written.list()) return evaluate(written);
    if (!written.text()) return written;
    if (!written.text()->starts_with('$')) return written.text()->empty() ? Value() : written;
    return look_up(std::string_view(*written.text()).substr(1));
  }

  // "stats.io_workload": an attribute, and keys into dicts.
  Value look_up(std::string_view path) const {
    const std::string_view attribute = path.substr(0, path.find('.'));
    Value value = amounts_.attribute(attribute, row_, state_);
    if (!value.is_none() && is_opaque(attribute)) value = object(attribute);
    while (!value.is_none() && path.find('.') != std::string_view::npos) {
      path.remove_prefix(path.find('.') + 1);
      if (!value.dict() || value.find(kObject)) raise("an attribute with keys", value);
      const Value* next = value.find(path.substr(0, path.find('.')));
      value = next ? Value(*next) : Value();
    }
    return value;
  }

  static Value object(std::string_view attribute) {
    return Value(Value::Dict{{std::string(kObject), Value(std::string(attribute))}});
  }

  const Amounts& amounts_;
  const std::uint32_t row_;
  const HostState* const state_;
};

bool passes(const Value& query, const Host& host) {
  const Value result = host.evaluate(query);
  return result.list() ? any(*result.list()).truthy() : result.truthy();
}

class JsonFilter : public plugin::Filter {
 public:
  explicit JsonFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    const Value* hint = spec->hint("query");
    if (spec->rebuild || !hint || !hint->truthy()) return;
    const auto query = hint->text() ? parse_json(*hint->text()) : std::nullopt;
    if (!query) raise("an expression in JSON", *hint);
    const Amounts amounts(call.picture());
    const Snapshot& snapshot = shared_.hosts->of(call);
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (!passes(*query, Host(amounts, candidates[i], snapshot.hosts.find(candidates[i])))) verdicts.refuse(i, 1);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t, std::uint8_t) const override {
    const auto spec = shared_.specs->of(call);
    const Value* hint = spec->hint("query");
    return {"nova.json_query", hint ? hint->str() : "", "not so on this host"};
  }

 private:
  const Shared shared_;
};

}  // namespace

void add_json_filter(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("JsonFilter", std::make_unique<JsonFilter>(shared));
}

}  // namespace emplace::nova
