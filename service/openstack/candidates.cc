#include "service/openstack/candidates.h"

#include <fmt/format.h>

#include <QtCore/QUrl>
#include <algorithm>
#include <set>
#include <utility>

#include "service/openstack/reading.h"

namespace emplace::openstack {
namespace {

constexpr char kCandidatesVersion[] = "1.36";  // groups that share a subtree
constexpr std::size_t kMostRequests = 1000;    // Nova's [scheduler]max_placement_results

std::string encoded(const std::string& text) {
  return QUrl::toPercentEncoding(QString::fromStdString(text), ",:!").toStdString();
}

template <typename Texts>
std::string joined(const Texts& texts, std::string_view before = {}) {
  std::set<std::string> sorted(texts.begin(), texts.end());
  std::string out;
  for (const std::string& text : sorted) {
    if (!out.empty()) out += ',';
    out.append(before).append(text);
  }
  return out;
}

std::string with_forbidden(const std::set<std::string>& required, const std::set<std::string>& forbidden) {
  const std::string wanted = joined(required), not_wanted = joined(forbidden, "!");
  return wanted + (wanted.empty() || not_wanted.empty() ? "" : ",") + not_wanted;
}

using Parameters = std::vector<std::pair<std::string, std::string>>;

void add_group(const std::string& suffix, const RequestGroup& group, Parameters& to) {
  const auto add = [&](const std::string& name, std::string value) {
    if (!value.empty()) to.emplace_back(name + suffix, std::move(value));
  };
  std::set<std::string> resources;
  for (const auto& [name, amount] : group.resources) resources.insert(fmt::format("{}:{:.0f}", name, amount));
  add("resources", joined(resources));
  add("required", with_forbidden(group.required, group.forbidden));
  for (const auto& aggregates : group.aggregates) add("member_of", "in:" + joined(aggregates));
  add("in_tree", group.in_tree);
  if (!group.forbidden_aggregates.empty()) add("member_of", "!in:" + joined(group.forbidden_aggregates));
}

}  // namespace

std::string candidates_query(const RequestGroups& groups) {
  Parameters parameters{{"limit", std::to_string(kMostRequests)}};
  if (!groups.policy.empty()) parameters.emplace_back("group_policy", groups.policy);
  const std::string roots = with_forbidden(groups.root_required, groups.root_forbidden);
  if (!roots.empty()) parameters.emplace_back("root_required", roots);
  for (const auto& suffixes : groups.same_subtree) parameters.emplace_back("same_subtree", joined(suffixes));
  add_group("", groups.plain, parameters);
  for (const auto& [suffix, group] : groups.suffixed) add_group(suffix, group, parameters);
  std::ranges::sort(parameters);
  std::string query;
  for (const auto& [name, value] : parameters)
    query += (query.empty() ? "" : "&") + encoded(name) + '=' + encoded(value);
  return query;
}

Result<CandidateHosts> read_candidates(std::string_view body) {
  std::map<Uuid, Uuid> roots;  // by provider
  std::set<Uuid> found;
  std::size_t requests = 0;
  const auto answer = read_answer(body, kPlacementAnswer, [&](JsonFields& fields, JsonErrors& errors) {
    fields.require("provider_summaries");
    fields.require("allocation_requests");
    const auto providers = fields.value("provider_summaries");
    JsonFields summaries(providers, "provider_summaries", errors);
    for (std::size_t i = 0; providers && providers->is_object() && i < providers->size(); ++i) {
      JsonFields summary(providers->member(i), summaries.path_of(providers->key(i)), errors);
      const auto id = parse_uuid(providers->key(i));
      Uuid root;
      summary.require("root_provider_uuid");
      summary.uuid("root_provider_uuid", root);
      if (id) roots.emplace(*id, root);
    }
    fields.each("allocation_requests", [&](JsonValue item, const std::string& path) {
      ++requests;
      JsonFields request(item, path, errors);
      request.require("allocations");
      const auto allocations = request.value("allocations");
      for (std::size_t i = 0; allocations && allocations->is_object() && i < allocations->size(); ++i) {
        const auto id = parse_uuid(allocations->key(i));
        const auto root = id ? roots.find(*id) : roots.end();
        if (root != roots.end()) found.insert(root->second);
      }
    });
  });
  return answer.map([&] { return CandidateHosts{{found.begin(), found.end()}, requests >= kMostRequests}; });
}

Result<CandidateHosts> Candidates::ask(const RequestGroups& groups, Deadline deadline) {
  return keystone_
      .get_reply({"placement", "/allocation_candidates?" + candidates_query(groups), kCandidatesVersion}, deadline)
      .and_then([](const WebReply& reply) { return read_candidates(reply.body); });
}

Result<std::optional<CandidateHosts>> Candidates::candidates(const VmRequest& vm, Deadline deadline) {
  if (when_ == AskPlacement::kNever || vm.nova_spec.empty()) return std::nullopt;
  const RequestGroups groups = request_groups(vm);
  if (when_ == AskPlacement::kGranular && !groups.are_granular()) return std::nullopt;
  auto all = ask(groups, deadline);
  if (!all) return tl::unexpected(all.error());
  if (const auto shared = with_shared_cores(vm)) {
    const auto more = ask(*shared, deadline);
    if (!more) return tl::unexpected(more.error());
    const std::vector<Uuid> first = std::exchange(all->providers, {});
    std::ranges::set_union(first, more->providers, std::back_inserter(all->providers));
    all->cut_off |= more->cut_off;
  }
  return *std::move(all);
}

}  // namespace emplace::openstack
