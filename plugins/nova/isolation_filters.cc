// AllHostsFilter, which refuses nobody, and IsolatedHostsFilter: isolated images only run on isolated hosts and, unless
// configured otherwise, isolated hosts only run isolated images. The latter runs on a rebuild too.
#include <algorithm>

#include "rules.h"

namespace emplace::nova {
namespace {

class AllHostsFilter : public plugin::Filter {
 public:
  void screen(const plugin::Call&, plugin::Verdicts&) const override {}
  plugin::Refusal explain(const plugin::Call&, std::uint32_t, std::uint8_t) const override {
    return {"nova.all_hosts"};
  }
};

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::ranges::find(all, one) != all.end();
}

bool passes(const Options& options, bool image_isolated, bool host_isolated) {
  if (options.restrict_isolated_hosts_to_isolated_images) return image_isolated == host_isolated;
  return !image_isolated || host_isolated;
}

class IsolatedHostsFilter : public plugin::Filter {
 public:
  explicit IsolatedHostsFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto options = shared_.settings->of(call);
    const bool image_isolated = is_isolated(*shared_.specs->of(call), *options);
    const bool any_isolated = !options->isolated_hosts.empty();
    if (passes(*options, image_isolated, false) && (!any_isolated || passes(*options, image_isolated, true))) return;
    const Names names(call, *shared_.hosts);
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const bool host_isolated = contains(options->isolated_hosts, names.of(candidates[i]));
      if (!passes(*options, image_isolated, host_isolated)) verdicts.refuse(i, 1);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const auto options = shared_.settings->of(call);
    const bool image = is_isolated(*shared_.specs->of(call), *options);
    const std::string name(Names(call, *shared_.hosts).of(host));
    return {"nova.isolated_hosts", image ? "an isolated host" : "a host that is not isolated",
            name + (contains(options->isolated_hosts, name) ? " is isolated" : " is not isolated")};
  }

 private:
  // A vm that boots from a volume has no image.
  static bool is_isolated(const Spec& spec, const Options& options) {
    return spec.image && contains(options.isolated_images, *spec.image);
  }

  const Shared shared_;
};

}  // namespace

void add_isolation_filters(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("AllHostsFilter", std::make_unique<AllHostsFilter>());
  plugin.add("IsolatedHostsFilter", std::make_unique<IsolatedHostsFilter>(shared));
}

}  // namespace emplace::nova
