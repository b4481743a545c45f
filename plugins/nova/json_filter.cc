// JsonFilter: the hint `query` is an expression in JSON, [operator, argument, ...], over the host's attributes:
// [">=", "$free_ram_mb", 1024]. Arguments are compared as Python compares them; an argument that names nothing the host
// has is left out. What Python can't compare fails the filter, as it fails the whole request in Nova. A text in place
// of the list is one of its characters: "=aa" is ["=", "a", "a"].
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
// Of the objects these can be compared, with themselves at least.
bool is_ordered(std::string_view attribute) { return attribute == "host_ip" || attribute == "updated"; }
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
  if (a.number() && b.number()) return Value::compare_numbers(a, b) == 0;
  if (a.text() && b.text()) return *a.text() == *b.text();
  if (a.list() && b.list()) return equal_lists(*a.list(), *b.list());
  if (a.dict() && b.dict()) return equal_dicts(*a.dict(), b);
  return a.is_none() && b.is_none();
}

std::partial_ordering compare(const Value& a, const Value& b) {
  if (a.number() && b.number()) return Value::compare_numbers(a, b);
  if (a.text() && b.text()) return *a.text() <=> *b.text();
  const Value* object = a.find(kObject);
  if (object && is_ordered(*object->text()) && equal(a, b)) return std::partial_ordering::equivalent;
  if (!a.list() || !b.list()) raise("values that can be compared", Value(List{a, b}));
  const auto [first, second] = std::ranges::mismatch(*a.list(), *b.list(), equal);
  const bool differ = first != a.list()->end() && second != b.list()->end();
  return differ ? compare(*first, *second) : a.list()->size() <=> b.list()->size();
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

List characters(const std::string& text) {
  List all;
  for (std::size_t end, i = 0; i < text.size(); i = end) {
    end = i + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
    all.emplace_back(text.substr(i, end - i));
  }
  return all;
}

class Host {
 public:
  Host(const Amounts& amounts, std::uint32_t row, const HostState* state)
      : amounts_(amounts), row_(row), state_(state) {}

  // The query's value: a truth, or a list of them.
  Value evaluate(const Value& query) {
    if (!query.truthy()) return Value(true);
    if (query.text()) return evaluate(Value(characters(*query.text())));
    if (!query.list()) raise("a list", query);
    const Operator method = operator_of(query.list()->front());
    List arguments;
    for (const Value& written : std::span(*query.list()).subspan(1)) {
      Value argument = argument_of(written);
      if (!argument.is_none()) arguments.push_back(std::move(argument));
    }
    return method(arguments);
  }

  // After evaluate(): an attribute that it looked up and that was not read of this host; empty when there is none.
  std::string_view unread() const { return unread_; }

 private:
  Value argument_of(const Value& written) {
    if (written.list()) return evaluate(written);
    if (!written.text()) return written;
    if (!written.text()->starts_with('$')) return written.text()->empty() ? Value() : written;
    return look_up(std::string_view(*written.text()).substr(1));
  }

  // "stats.io_workload": an attribute, and keys into dicts.
  Value look_up(std::string_view path) {
    const std::string_view attribute = path.substr(0, path.find('.'));
    Value value = find(attribute, path);
    // Of stats a part may be told.
    if (is_unread(state_, attribute) && (attribute != "stats" || value.is_none())) unread_ = attribute;
    return value;
  }

  Value find(std::string_view attribute, std::string_view path) const {
    Value value = amounts_.attribute(attribute, row_, state_);
    if (attribute == "metrics" && value.list() && value.list()->empty())
      return Value(Value::Dict());  // as false as it is
    if (is_opaque(attribute) && (!value.is_none() || is_compiled(attribute))) value = object(attribute);
    while (!value.is_none() && path.find('.') != std::string_view::npos) {
      path.remove_prefix(path.find('.') + 1);
      if (!value.dict() || value.find(kObject)) raise("an attribute with keys", value);
      const Value* next = value.find(path.substr(0, path.find('.')));
      value = next ? Value(*next) : Value();
    }
    return value;
  }

  bool is_compiled(std::string_view attribute) const {
    if (!state_) return false;
    return (attribute == "numa_topology" && state_->numa) || (attribute == "pci_stats" && state_->pci);
  }

  static Value object(std::string_view attribute) {
    return Value(Value::Dict{{std::string(kObject), Value(std::string(attribute))}});
  }

  const Amounts& amounts_;
  const std::uint32_t row_;
  const HostState* const state_;
  std::string_view unread_;
};

bool passes(const Value& query, Host& host) {
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
    const Value query = query_of(*hint);
    const Amounts amounts(call.picture());
    const Snapshot& snapshot = shared_.hosts->of(call);
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Host host(amounts, candidates[i], snapshot.hosts.find(candidates[i]));
      const bool passed = passes(query, host);
      if (!host.unread().empty()) {
        verdicts.pass_unjudged(i, kUnread);
      } else if (!passed) {
        verdicts.refuse(i, kFalse);
      }
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t row, std::uint8_t reason) const override {
    const auto spec = shared_.specs->of(call);
    const Value* hint = spec->hint("query");
    if (!hint || reason != kUnread) return {"nova.json_query", hint ? hint->str() : "", "not so on this host"};
    const Amounts amounts(call.picture());
    Host host(amounts, row, shared_.hosts->of(call).hosts.find(row));
    const Value query = query_of(*hint);
    passes(query, host);
    return {"nova.json_query", hint->str(), std::string(host.unread()) + " was not read"};
  }

 private:
  static constexpr std::uint8_t kFalse = 1, kUnread = 2;  // reasons

  static Value query_of(const Value& hint) {
    const auto query = hint.text() ? parse_json(*hint.text()) : std::nullopt;
    if (!query) raise("an expression in JSON", hint);
    return *query;
  }

  const Shared shared_;
};

}  // namespace

void add_json_filter(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("JsonFilter", std::make_unique<JsonFilter>(shared));
}

}  // namespace emplace::nova
