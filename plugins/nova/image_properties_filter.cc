// ImagePropertiesFilter: what the image asks for (architecture, hypervisor type, vm mode) occurs in one of the
// combinations that the host supports, and the host's hypervisor has the version that the image asks for. An image that
// asks for nothing passes everywhere; one that asks fails where the host says nothing. Runs on a rebuild too.
#include <algorithm>

#include "aggregates/aggregates.h"
#include "canonical.h"
#include "python_text.h"
#include "rules.h"
#include "version_predicate.h"

namespace emplace::nova {
namespace {

enum Reason : std::uint8_t { kPasses, kNothingSupported, kNotSupported, kVersion, kAddressBits, kUnread };

struct Wanted {
  std::vector<std::string> properties;  // canonical; those that are given
  std::optional<VersionPredicate> version;
  std::string version_restriction;
  double address_bits = 0;  // master; 0: as many as there are
};

Wanted wanted_of(const Spec& spec, const Options& options) {
  Wanted wanted;
  const std::string* architecture = spec.image_property("hw_architecture");
  const std::string fallback = options.image_properties_default_architecture;
  if (architecture) {
    wanted.properties.push_back(canonical_architecture(*architecture));
  } else if (!fallback.empty()) {
    wanted.properties.push_back(canonical_architecture(fallback));
  }
  if (const auto* type = spec.image_property("img_hv_type")) wanted.properties.push_back(canonical_hypervisor(*type));
  if (const auto* mode = spec.image_property("hw_vm_mode")) wanted.properties.push_back(canonical_vm_mode(*mode));
  const auto* restriction = spec.image_property("img_hv_requested_version");
  // The version is only looked at where something else is asked for: so does Nova.
  if (restriction && !restriction->empty() && !wanted.properties.empty()) {
    wanted.version.emplace(*restriction);
    wanted.version_restriction = *restriction;
  }
  const auto* bits = spec.image_property("hw_maxphysaddr_bits");
  if (bits && options.release == Release::kMaster) wanted.address_bits = python_int(*bits).value_or(0);
  return wanted;
}

bool supports(const std::vector<std::string>& combination, const Wanted& wanted) {
  return std::ranges::all_of(wanted.properties, [&](const std::string& property) {
    return std::ranges::find(combination, property) != combination.end();
  });
}

Reason judge_support(const HostKind& host, const Wanted& wanted) {
  if (host.supported_instances.empty()) return host.is_support_unread ? kUnread : kNothingSupported;
  const bool supported = std::ranges::any_of(host.supported_instances,
                                             [&](const auto& combination) { return supports(combination, wanted); });
  if (!supported) return kNotSupported;
  if (!wanted.version || host.hypervisor_version == 0) return kPasses;
  return wanted.version->satisfied_by(version_text(host.hypervisor_version)) ? kPasses : kVersion;
}

Reason judge(const HostKind& host, const Wanted& wanted) {
  const Reason reason = wanted.properties.empty() ? kPasses : judge_support(host, wanted);
  const bool too_few = host.address_bits && *host.address_bits < wanted.address_bits;
  return (reason == kPasses || reason == kUnread) && too_few ? kAddressBits : reason;
}

std::string all_supported(const HostKind& host) {
  std::string text;
  for (const auto& combination : host.supported_instances) text += (text.empty() ? "" : " ") + joined(combination);
  return text;
}

class ImagePropertiesFilter : public plugin::Filter {
 public:
  explicit ImagePropertiesFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const Wanted wanted = wanted_of(*shared_.specs->of(call), *shared_.settings->of(call));
    if (wanted.properties.empty() && wanted.address_bits == 0) return;
    const HostColumns& columns = shared_.hosts->of(call).columns;
    std::vector<std::optional<Reason>> known(columns.kinds().size());
    for_each_block(call.candidates(), [&](std::uint32_t first, auto rows, std::size_t at) {
      const HostBlock& hosts = columns.block_of(first);
      const auto passes = [&](std::uint32_t kind) { return known[kind] == kPasses; };
      if (std::ranges::all_of(hosts.distinct_kinds, passes)) return;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::uint32_t kind = hosts.kind[rows[i] - first];
        if (!known[kind]) known[kind] = judge(columns.kinds()[kind], wanted);
        if (*known[kind] == kUnread) {
          verdicts.pass_unjudged(at + i, kUnread);
        } else if (*known[kind] != kPasses) {
          verdicts.refuse(at + i, *known[kind]);
        }
      }
    });
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t row, std::uint8_t reason) const override {
    const Wanted wanted = wanted_of(*shared_.specs->of(call), *shared_.settings->of(call));
    const HostKind& host = shared_.hosts->of(call).columns.kind_of(row);
    if (reason == kAddressBits) return {"nova.image.address_bits", wanted.address_bits, *host.address_bits, "bits"};
    if (reason == kUnread) return {"nova.image.unread", joined(wanted.properties), "supported_instances was not read"};
    if (reason == kNothingSupported) return {"nova.image.not_supported", joined(wanted.properties), "nothing known"};
    if (reason == kNotSupported) return {"nova.image.not_supported", joined(wanted.properties), all_supported(host)};
    return {"nova.image.hypervisor_version", wanted.version_restriction, version_text(host.hypervisor_version)};
  }

 private:
  const Shared shared_;
};

}  // namespace

void add_image_properties_filter(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("ImagePropertiesFilter", std::make_unique<ImagePropertiesFilter>(shared));
}

}  // namespace emplace::nova
