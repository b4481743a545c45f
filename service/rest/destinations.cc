#include "service/rest/destinations.h"

#include <strings.h>

#include <algorithm>
#include <functional>
#include <map>

#include "service/core/answer/explanation.h"
#include "service/core/request/nova_spec.h"

namespace emplace::http {
namespace {

constexpr std::string_view kData = "nova_object.data";

// ---- the spec of one instance

using Write = std::function<void(JsonWriter&, std::optional<JsonValue>)>;

// A copy of an object, some members written anew from what they were.
void copy_with(JsonWriter& writer, JsonValue object, const std::map<std::string_view, Write>& anew) {
  writer.open();
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (!anew.contains(object.key(i))) writer.key(object.key(i)).value(object.member(i));
  }
  for (const auto& [key, write] : anew) write(writer.key(key), object.find(key));
  writer.close();
}

Write list_with(std::vector<std::string> texts) {
  return [texts = std::move(texts)](JsonWriter& writer, std::optional<JsonValue> before) {
    std::vector<std::string_view> missing(texts.begin(), texts.end());
    writer.open_list();
    for (std::size_t i = 0; before && before->is_array() && i < before->size(); ++i) {
      writer.value(before->item(i));
      if (before->item(i).is_text()) std::erase(missing, before->item(i).text());
    }
    for (const std::string_view text : missing) writer.text(text);
    writer.close_list();
  };
}

Write group_with(const std::vector<Selected>& others) {
  std::vector<std::string> hosts, ids;
  for (const Selected& one : others) {
    hosts.push_back(one.nova_host);
    ids.push_back(to_string(one.id));
  }
  const std::map<std::string_view, Write> lists{{"hosts", list_with(hosts)}, {"members", list_with(ids)}};
  return [lists](JsonWriter& writer, std::optional<JsonValue> group) {
    if (!group || group->is_null()) return void(writer.null());
    const auto data = group->is_object() ? group->find(kData) : std::nullopt;
    if (!data || !data->is_object()) return void(writer.value(*group));
    copy_with(writer, *group, {{kData, [&](JsonWriter& below, auto) { copy_with(below, *data, lists); }}});
  };
}

// ---- the line, instance by instance

class Instances {
 public:
  Instances(const Scheduler& scheduler, const DestinationsWish& wish, std::shared_ptr<const Rules> rules,
            std::shared_ptr<const Picture> picture, std::int64_t now_us, JsonValue spec)
      : scheduler_(scheduler),
        wish_(wish),
        rules_(std::move(rules)),
        picture_(std::move(picture)),
        now_us_(now_us),
        spec_(spec),
        only_hosts_(wish.request->vm.only_hosts),
        ignore_hosts_(wish.request->vm.ignore_hosts) {
    limit_to(wish.hosts);
    made_.placement.request = wish.request;
    made_.placement.rules = rules_;
    made_.placement.version = picture_->version();
    made_.placement.now_us = now_us;
  }

  Result<Destinations> run() && {
    for (std::uint32_t i = 0; i < wish_.request->options.count; ++i) {
      const auto decided = decide(i, wish_.request->options.alternates);
      if (!decided) return tl::unexpected(decided.error());
      Placement& all = made_.placement;
      all.took_us += decided->took_us;
      all.not_considered = decided->not_considered;
      all.instances.push_back(decided->instances.front());
      if (all.instances.back().decision->ranking.order.empty()) return std::move(made_);
      if (const auto put = put_in_place(all.instances.back(), i); !put) return tl::unexpected(put.error());
    }
    for (const std::uint32_t first : firsts_) made_.selections.push_back({first});
    if (const auto found = find_alternates(); !found) return tl::unexpected(found.error());
    return std::move(made_);
  }

 private:
  // Of hosts that the spec forces only those that may be considered; of the others likewise.
  void limit_to(const std::vector<std::string>& hosts) {
    if (hosts.empty()) return;
    for (const std::string& forced : only_hosts_) {
      const auto is_forced = [&](std::string_view host) {
        const bool is_node =
            host.size() > forced.size() && host[forced.size()] == '/';  // of a service that has several
        if (is_node) host = host.substr(0, forced.size());
        return host.size() == forced.size() && strncasecmp(host.data(), forced.data(), host.size()) == 0;
      };
      if (std::ranges::none_of(hosts, is_forced)) ignore_hosts_.push_back(forced);
    }
    if (only_hosts_.empty()) only_hosts_ = hosts;
  }

  std::shared_ptr<const PlacementRequest> request_of(std::uint32_t i, std::uint32_t alternates) const {
    auto request = std::make_shared<PlacementRequest>(*wish_.request);
    request->vm = instance_of(*request, i);
    request->vm.id = wish_.ids[i];
    if (!request->vm.id.is_zero()) request->vm.name = to_string(request->vm.id);
    request->vm.nova_spec = spec_of_instance(spec_, {wish_.ids[i], others_, changed_ ? &*changed_ : nullptr});
    request->vm.only_hosts = only_hosts_;
    request->vm.ignore_hosts = ignore_hosts_;
    request->document = document_of(request->vm);
    request->options.count = 1;
    request->options.alternates = alternates;
    return request;
  }

  static std::string document_of(const VmRequest& vm) {
    JsonWriter writer;
    writer.open().key("request_spec").raw(vm.nova_spec);
    if (vm.allocation_candidates) {
      writer.key("allocation_candidates").open_list();
      for (const Uuid& provider : *vm.allocation_candidates) writer.text(to_string(provider));
      writer.close_list();
    }
    return writer.close().take();
  }

  Result<Placement> decide(std::uint32_t i, std::uint32_t alternates) {
    auto decided = scheduler_.decide_on(request_of(i, alternates), rules_, picture_, now_us_);
    if (decided) note(*decided->instances.front().decision);
    return decided;
  }

  void note(const Decision& decision) {
    for (Degraded& one : degraded_of(decision)) {
      const auto same = [&](const Degraded& other) { return other.plugin == one.plugin && other.why == one.why; };
      if (std::ranges::none_of(made_.degraded, same)) made_.degraded.push_back(std::move(one));
    }
  }

  // What comes after sees this instance on its host, and only the hosts that were not refused.
  Result<void> put_in_place(const Instance& instance, std::uint32_t i) {
    const Decision& decision = *instance.decision;
    firsts_.push_back(decision.costs.hosts[decision.ranking.order.front().index]);
    if (auto taken = take_first(instance); !taken) return taken;
    if (wish_.request->options.count == 1) return {};
    const auto names = (*picture_)[hosts::name];
    const std::string host(names[firsts_.back()]);
    VmRow placed = placed_row(*picture_, instance.vm, host, made_.takes.back());
    if (placed.id.is_zero()) placed.id = id_of_instance(i + 1);
    placed.claim = placed.id;  // beside the vm where it is now, should it move
    const std::string nova_host = nova_text(*picture_, firsts_.back(), "host");
    others_.push_back({nova_host.empty() ? host : nova_host, placed.id});
    if (decision.costs.hosts.size() < decision.screened.considered) {
      only_hosts_.clear();
      for (const std::uint32_t kept : decision.costs.hosts) only_hosts_.emplace_back(names[kept]);
    }
    PictureBuilder builder(picture_);
    apply(builder, std::move(placed));
    picture_ = builder.finish(picture_->version(), picture_->made_at_us());
    return {};
  }

  // Nova goes on with the spec as fitting an instance onto its host has left it.
  Result<void> take_first(const Instance& instance) {
    made_.takes.emplace_back();
    if (rules_->consumers.empty() && instance.vm.resources.empty()) return {};
    const auto query = bind(*wish_.request, instance.vm, *picture_, now_us_);
    if (!query) return tl::unexpected(query.error());
    auto taking = take(*rules_, *query, firsts_.back());
    if (!taking) return tl::unexpected(taking.error());
    made_.takes.back() = std::move(taking->takes);
    if (taking->spec.empty()) return {};
    auto changed = JsonDocument::parse(taking->spec, "spec");
    if (!changed) return tl::unexpected(changed.error());
    changed_ = *std::move(changed);
    return {};
  }

  // Nova sorts the hosts again only when there are several instances, since one alone takes no room from itself.
  Result<void> find_alternates() {
    if (wish_.request->options.alternates == 0) return {};
    const auto last = static_cast<std::uint32_t>(firsts_.size() - 1);
    if (last == 0 && take_alternates(*made_.placement.instances.front().decision)) return {};
    constexpr std::uint32_t kMore = 8;
    auto wanted = static_cast<std::uint32_t>(firsts_.size()) + wish_.request->options.alternates;
    for (;; wanted *= kMore) {
      const auto sorted = decide(last, wanted);
      if (!sorted) return tl::unexpected(sorted.error());
      if (take_alternates(*sorted->instances.front().decision)) return {};
    }
  }

  // True: all that are wanted, or all that there are.
  bool take_alternates(const Decision& decision) {
    bool enough = true;
    for (auto& selection : made_.selections) {
      selection.resize(1);
      const std::string cell = nova_text(*picture_, selection.front(), "cell_uuid");
      for (const Ranked& one : decision.ranking.order) {
        if (selection.size() > wish_.request->options.alternates) break;
        const std::uint32_t row = decision.costs.hosts[one.index];
        const bool selected = std::ranges::find(firsts_, row) != firsts_.end();
        if (!selected && (cell.empty() || nova_text(*picture_, row, "cell_uuid") == cell)) selection.push_back(row);
      }
      enough &= selection.size() > wish_.request->options.alternates;
    }
    return enough || decision.ranking.order.size() == decision.costs.hosts.size();
  }

  const Scheduler& scheduler_;
  const DestinationsWish& wish_;
  const std::shared_ptr<const Rules> rules_;
  std::shared_ptr<const Picture> picture_;  // with the instances so far
  const std::int64_t now_us_;
  const JsonValue spec_;
  std::vector<std::string> only_hosts_, ignore_hosts_;
  std::vector<std::uint32_t> firsts_;
  std::vector<Selected> others_;
  std::optional<JsonDocument> changed_;  // what is put in place of parts of the spec
  Destinations made_;
};

}  // namespace

std::string spec_of_instance(JsonValue spec, const LaterInstance& instance) {
  const auto data = spec.find(kData);
  const Write uuid = [&](JsonWriter& writer, auto) {
    instance.id.is_zero() ? writer.null() : writer.text(to_string(instance.id));
  };
  std::map<std::string_view, Write> anew{{"instance_uuid", uuid}};
  if (data->find("instance_group")) anew["instance_group"] = group_with(instance.others);
  for (std::size_t i = 0; instance.changed && i < instance.changed->root().size(); ++i) {
    const JsonValue value = instance.changed->root().member(i);
    anew[instance.changed->root().key(i)] = [value](JsonWriter& writer, auto) { writer.value(value); };
  }
  JsonWriter writer;
  copy_with(writer, spec, {{kData, [&](JsonWriter& below, auto) { copy_with(below, *data, anew); }}});
  return writer.take();
}

void write_selection(JsonWriter& writer, const Picture& picture, std::uint32_t host, bool numa_limits) {
  const std::string_view name = picture[hosts::name][host];
  const std::string nova_host = nova_text(picture, host, "host");
  const auto write_if_known = [&](std::string_view key, std::string_view text) {
    if (!text.empty()) writer.text(key, text);
  };
  writer.open().text("host", name).text("service_host", nova_host.empty() ? name : nova_host);
  write_if_known("nodename", nova_text(picture, host, "nodename"));
  write_if_known("compute_node_uuid", nova_text(picture, host, "uuid"));
  write_if_known("cell_uuid", nova_text(picture, host, "cell_uuid"));
  write_if_known("availability_zone", picture.text(picture[hosts::zone].get(host).value_or(kNoRow)));
  writer.key("limits").open();
  if (numa_limits) {
    writer.key("numa_topology").open();
    writer.number("cpu_allocation_ratio", picture[hosts::cpu_allocation_ratio][host]);
    writer.number("ram_allocation_ratio", picture[hosts::ram_allocation_ratio][host]).close();
  }
  writer.close().close();
}

Result<Destinations> select_destinations(const Scheduler& scheduler, const DestinationsWish& wish,
                                         const std::shared_ptr<const Rules>& rules,
                                         std::shared_ptr<const Picture> picture, std::int64_t now_us) {
  const auto spec = JsonDocument::parse(wish.request->vm.nova_spec, "request_spec");
  if (!spec) return tl::unexpected(spec.error());
  return Instances(scheduler, wish, rules, std::move(picture), now_us, spec->root()).run();
}

}  // namespace emplace::http
