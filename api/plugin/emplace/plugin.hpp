// C++20 on top of plugin.h: what plugins are written against. A plugin derives from Filter, Objective, Weigher or
// Snapshots, and names them in one function:
//
//   class Roomy : public emplace::plugin::Filter { void screen(...) const override; Refusal explain(...) const
//   override; };
//
//   void make(const emplace::plugin::Configuration& configuration, emplace::plugin::Plugin& plugin) {
//     plugin.add("demo.roomy", std::make_unique<Roomy>(configuration.number("minimum_mib")));
//   }
//   EMPLACE_PLUGIN("demo", "1.0.0", make)
//
// Exceptions are caught at the border and become the call's error; throw Error (or anything from std::exception) to
// refuse a call with a sentence for the operator. Threads, lifetimes and meanings are those of plugin.h. Compile with
// -fvisibility=hidden: EMPLACE_PLUGIN exports the one symbol. Nothing here is linked: it is all in this header.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "emplace/view.hpp"

namespace emplace::plugin {

// ---- rules ----

// Keeps all candidates until told otherwise.
class Verdicts {
 public:
  Verdicts(emplace_verdicts& raw, std::uint32_t count) : raw_(&raw) {
    for (std::uint32_t word = 0; word < (count + 63) / 64; ++word) {
      const std::uint32_t left = count - word * 64;
      raw.keep[word] = left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
    }
    raw.count = count;
  }
  void refuse(std::size_t candidate, std::uint8_t reason) {
    raw_->keep[candidate >> 6] &= ~(std::uint64_t{1} << (candidate & 63));
    raw_->reasons[candidate] = reason;
  }
  // Kept, for want of data: refuses nobody, and is said.
  void pass_unjudged(std::size_t candidate, std::uint8_t reason) { raw_->reasons[candidate] = reason; }

 private:
  emplace_verdicts* raw_;
};

// A wanted or found amount: nothing, a number, or a text.
struct Amount {
  Amount() = default;
  Amount(double value) : kind(EMPLACE_NUMBER), number(value) {}              // NOLINT
  Amount(std::string value) : kind(EMPLACE_TEXT), text(std::move(value)) {}  // NOLINT
  Amount(std::string_view value) : kind(EMPLACE_TEXT), text(value) {}        // NOLINT
  Amount(const char* value) : kind(EMPLACE_TEXT), text(value) {}             // NOLINT
  std::uint32_t kind = EMPLACE_NOTHING;
  double number = 0;
  std::string text = {};
};

struct Refusal {
  std::string code;
  Amount wanted = {};
  Amount found = {};
  std::string unit = {};
};

class Filter {
 public:
  virtual ~Filter() = default;
  virtual void screen(const Call& call, Verdicts& verdicts) const = 0;
  virtual Refusal explain(const Call& call, std::uint32_t host, std::uint8_t reason) const = 0;
};

class Costs {
 public:
  Costs(emplace_costs& raw, std::uint32_t count) : raw_(&raw), count_(count) { raw.count = count; }
  void set(std::size_t candidate, double cost, std::uint8_t quality = EMPLACE_QUALITY_OK) {
    raw_->costs[candidate] = cost;
    raw_->quality[candidate] = quality;
  }
  void set_no_data(std::size_t candidate) { raw_->quality[candidate] = EMPLACE_QUALITY_NO_DATA; }
  void set_all_no_data() { std::memset(raw_->quality, EMPLACE_QUALITY_NO_DATA, count_); }

 private:
  emplace_costs* raw_;
  std::uint32_t count_;
};

class Objective {
 public:
  virtual ~Objective() = default;
  virtual void evaluate(const Call& call, Costs& costs) const = 0;
};

class Weights {
 public:
  Weights(emplace_weights& raw, std::uint32_t count) : raw_(&raw) { raw.count = count; }
  // A candidate whose value is not set, or set to NaN, has no data.
  void set(std::size_t candidate, double value) { raw_->values[candidate] = value; }
  // Every candidate has this value, and no other is set: many times faster than to write and read them all.
  void set_all(double value) {
    if (raw_->count > 0) raw_->values[0] = value, raw_->count = 1;
  }
  void set_multiplier(std::size_t candidate, double multiplier) { raw_->multipliers[candidate] = multiplier; }
  // All of them, to be written by candidate; a multiplier that is NaN is the profile's.
  double* values() { return raw_->values; }
  double* multipliers() { return raw_->multipliers; }
  void set_minimum(double value) { raw_->has_minimum = 1, raw_->minimum = value; }
  void set_maximum(double value) { raw_->has_maximum = 1, raw_->maximum = value; }

 private:
  emplace_weights* raw_;
};

class Weigher {
 public:
  virtual ~Weigher() = default;
  virtual void weigh(const Call& call, Weights& weights) const = 0;
};

// ---- indices ----

// What changed between two pictures, by observed column.
class Changes {
 public:
  Changes(const emplace_view& after, const emplace_changed_rows* changes, std::uint32_t count)
      : after_(&after), changes_(changes), count_(count) {}

  std::span<const std::uint32_t> rows(std::string_view table, std::string_view column) const {
    for (std::uint32_t i = 0; i < count_; ++i) {
      const auto* change = emplace_changed_rows_at(changes_, i);
      const auto* in = emplace_table_at(after_->tables, change->table);
      if (table == in->name && column == emplace_column_at(in, change->column)->name)
        return {change->rows, change->count};
    }
    return {};
  }

 private:
  const emplace_view* after_;
  const emplace_changed_rows* changes_;
  std::uint32_t count_;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void observe(const View* before, const View& after, const Changes& changes) = 0;
  virtual void forget(std::uint64_t identity) = 0;
};

// An index T kept per picture. Derive and say how the next one is made: from scratch, or from the one before, with
// which it should share what did not change. Rules get theirs with of(call).
template <typename T>
class Snapshots : public Observer {
 public:
  const T& of(const Call& call) const {
    const auto* found = find(call.picture().identity());
    if (!found) throw Error("a picture that was never observed");
    return **found;
  }
  void observe(const View* before, const View& after, const Changes& changes) final {
    const auto* base = before ? find(before->identity()) : nullptr;
    auto made = base ? next(**base, *before, after, changes) : first(after);
    forget(after.identity());
    kept_.emplace_back(after.identity(), std::move(made));
  }
  void forget(std::uint64_t identity) final {
    std::erase_if(kept_, [&](const auto& kept) { return kept.first == identity; });
  }

 protected:
  virtual std::shared_ptr<const T> first(const View& after) const = 0;
  virtual std::shared_ptr<const T> next(const T& index, const View& before, const View& after,
                                        const Changes& changes) const = 0;

 private:
  const std::shared_ptr<const T>* find(std::uint64_t identity) const {
    for (const auto& kept : kept_) {
      if (kept.first == identity) return &kept.second;
    }
    return nullptr;
  }
  std::vector<std::pair<std::uint64_t, std::shared_ptr<const T>>> kept_;
};

// ---- what a vm takes of a host ----

class Consumer {
 public:
  virtual ~Consumer() = default;
  // The JSON object that plugin.h describes, or an empty text.
  virtual std::string take(const Call& call, std::uint32_t host) const = 0;
};

// ---- the plugin ----

// The configuration: checked by the host, defaults filled in. Nested values are read from json().
class Configuration {
 public:
  explicit Configuration(const emplace_configuration& raw) : raw_(&raw), values_(*raw.table, nullptr) {}

  double number(std::string_view key) const { return value<double>(key); }
  bool flag(std::string_view key) const { return value<std::uint8_t>(key) != 0; }
  std::string text(std::string_view key) const { return std::string(value<std::string_view>(key)); }
  std::string_view json() const { return {raw_->json, static_cast<std::size_t>(raw_->json_bytes)}; }

 private:
  template <typename T>
  T value(std::string_view key) const {
    const auto found = values_.column<T>(key).get(0);
    if (!found) throw Error("configuration: " + std::string(key) + " has no value");
    return *found;
  }
  const emplace_configuration* raw_;
  Table values_;
};

namespace detail {

inline void put(std::span<char> to, std::string_view text) {
  const std::size_t length = text.size() < to.size() ? text.size() : to.size() - 1;
  std::memcpy(to.data(), text.data(), length);
  to[length] = 0;
}

template <typename F>
std::int32_t guarded(emplace_error* error, F&& body) noexcept {
  try {
    body();
    return EMPLACE_OK;
  } catch (const std::exception& e) {
    put(error->message, e.what());
  } catch (...) {
    put(error->message, "an exception that is not a std::exception");
  }
  return EMPLACE_FAILED;
}

inline std::int32_t screen(void* self, const emplace_call* call, emplace_verdicts* verdicts, emplace_error* error) {
  return guarded(error, [&] {
    Verdicts out(*verdicts, call->candidate_count);
    static_cast<const Filter*>(self)->screen(Call(*call), out);
  });
}
inline std::int32_t explain(void* self, const emplace_call* call, std::uint32_t host, std::uint8_t reason,
                            emplace_refusal* out, emplace_error* error) {
  return guarded(error, [&] {
    const Refusal refusal = static_cast<const Filter*>(self)->explain(Call(*call), host, reason);
    put(out->code, refusal.code);
    put(out->unit, refusal.unit);
    out->wanted_kind = refusal.wanted.kind, out->wanted_number = refusal.wanted.number;
    out->found_kind = refusal.found.kind, out->found_number = refusal.found.number;
    put(out->wanted_text, refusal.wanted.text);
    put(out->found_text, refusal.found.text);
  });
}
inline std::int32_t evaluate(void* self, const emplace_call* call, emplace_costs* costs, emplace_error* error) {
  return guarded(error, [&] {
    Costs out(*costs, call->candidate_count);
    static_cast<const Objective*>(self)->evaluate(Call(*call), out);
  });
}
inline std::int32_t weigh(void* self, const emplace_call* call, emplace_weights* weights, emplace_error* error) {
  return guarded(error, [&] {
    Weights out(*weights, call->candidate_count);
    static_cast<const Weigher*>(self)->weigh(Call(*call), out);
  });
}
inline std::int32_t observe(void* self, const emplace_view* before, const emplace_view* after,
                            const emplace_changed_rows* changes, std::uint32_t count, emplace_error* error) {
  return guarded(error, [&] {
    const auto earlier = before ? std::optional<View>(*before) : std::nullopt;
    static_cast<Observer*>(self)->observe(earlier ? &*earlier : nullptr, View(*after), Changes(*after, changes, count));
  });
}
inline void forget(void* self, std::uint64_t identity) { static_cast<Observer*>(self)->forget(identity); }
inline std::int32_t take(void* self, const emplace_call* call, std::uint32_t host, emplace_taking* taking,
                         emplace_error* error) {
  return guarded(error, [&] {
    const std::string text = static_cast<const Consumer*>(self)->take(Call(*call), host);
    if (text.size() > taking->capacity) throw Error("wanted to say what the vm takes, found too little room for it");
    std::memcpy(taking->text, text.data(), text.size());
    taking->bytes = static_cast<std::uint32_t>(text.size());
  });
}

}  // namespace detail

// What one instance consists of.
class Plugin {
 public:
  void add(std::string id, std::unique_ptr<Filter> rule) {
    filters_.push_back(make<Filter, emplace_filter>(std::move(id), std::move(rule)));
    filters_.back()->raw.screen = detail::screen;
    filters_.back()->raw.explain = detail::explain;
  }
  void add(std::string id, std::unique_ptr<Objective> rule) {
    objectives_.push_back(make<Objective, emplace_objective>(std::move(id), std::move(rule)));
    objectives_.back()->raw.evaluate = detail::evaluate;
  }
  void add(std::string id, std::unique_ptr<Weigher> rule) {
    weighers_.push_back(make<Weigher, emplace_weigher>(std::move(id), std::move(rule)));
    weighers_.back()->raw.weigh = detail::weigh;
  }
  // At most one; rules may share it.
  void set_observer(std::shared_ptr<Observer> observer) {
    observer_ = std::move(observer);
    raw_observer_ = {sizeof(emplace_observer), 0, observer_.get(), detail::observe, detail::forget};
  }
  // At most one.
  void set_consumer(std::unique_ptr<Consumer> consumer) {
    consumer_ = std::move(consumer);
    raw_consumer_ = {sizeof(emplace_consumer), 0, consumer_.get(), detail::take};
  }

  const void* extension(std::string_view id, std::string_view rule) const {
    if (id == EMPLACE_FILTER) return find(filters_, rule);
    if (id == EMPLACE_OBJECTIVE) return find(objectives_, rule);
    if (id == EMPLACE_WEIGHER) return find(weighers_, rule);
    if (id == EMPLACE_CONSUMER && consumer_) return &raw_consumer_;
    return id == EMPLACE_OBSERVER && observer_ ? &raw_observer_ : nullptr;
  }

 private:
  template <typename Rule, typename Raw>
  struct Entry {
    std::string id;
    std::unique_ptr<Rule> rule;
    Raw raw = {};
  };
  template <typename Rule, typename Raw>
  using Entries = std::vector<std::unique_ptr<Entry<Rule, Raw>>>;

  template <typename Rule, typename Raw>
  static std::unique_ptr<Entry<Rule, Raw>> make(std::string id, std::unique_ptr<Rule> rule) {
    auto entry = std::make_unique<Entry<Rule, Raw>>(Entry<Rule, Raw>{std::move(id), std::move(rule)});
    entry->raw.size = sizeof(Raw);
    entry->raw.self = entry->rule.get();
    return entry;
  }
  template <typename Rule, typename Raw>
  static const void* find(const Entries<Rule, Raw>& entries, std::string_view id) {
    for (const auto& entry : entries) {
      if (entry->id == id) return &entry->raw;
    }
    return nullptr;
  }

  Entries<Filter, emplace_filter> filters_;
  Entries<Objective, emplace_objective> objectives_;
  Entries<Weigher, emplace_weigher> weighers_;
  std::shared_ptr<Observer> observer_;
  emplace_observer raw_observer_ = {};
  std::unique_ptr<Consumer> consumer_;
  emplace_consumer raw_consumer_ = {};
};

namespace detail {
template <void (*kMake)(const Configuration&, Plugin&)>
std::int32_t create(const emplace_configuration* configuration, void** instance, emplace_error* error) {
  return guarded(error, [&] {
    auto plugin = std::make_unique<Plugin>();
    kMake(Configuration(*configuration), *plugin);
    *instance = plugin.release();
  });
}
inline const void* get_extension(void* instance, const char* id, const char* rule) {
  return static_cast<const Plugin*>(instance)->extension(id, rule);
}
inline void destroy(void* instance) { delete static_cast<Plugin*>(instance); }
}  // namespace detail

}  // namespace emplace::plugin

// NOLINTNEXTLINE: the entry is a symbol, so it takes a macro to define it.
#define EMPLACE_PLUGIN(id, version, make)                                                                              \
  extern "C" EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry = {sizeof(emplace_entry),                  \
                                                                               EMPLACE_ABI_MAJOR,                      \
                                                                               EMPLACE_ABI_MINOR,                      \
                                                                               0,                                      \
                                                                               id,                                     \
                                                                               version,                                \
                                                                               emplace::plugin::detail::create<make>,  \
                                                                               emplace::plugin::detail::get_extension, \
                                                                               emplace::plugin::detail::destroy};
