// ImagePropertiesWeigher, of master: how often the properties of the vm's image occur among the instances of a host,
// each time as much as image_props_weight_setting says, or 1 where it names none. Does nothing while its multiplier is
// not configured. What an instance's image said is in its system_metadata, as texts behind "image_".
#include <algorithm>
#include <array>

#include "python_text.h"
#include "weighing.h"

namespace emplace::nova {
namespace {

constexpr std::string_view kMultiplier = "image_props_weight_multiplier";

std::string lower(std::string_view text) {
  std::string made(strip(text));
  for (char& c : made) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return made;
}

bool is_true(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "true", "on", "y", "yes"};
  return std::ranges::find(kTrue, lower(text)) != kTrue.end();
}

struct Property {
  std::string key;  // in system_metadata
  Value value;
  double weight;

  // Nova reads the text by the property's type, which is that of the request's value.
  bool occurs_as(std::string_view text) const {
    if (const auto flag = value.flag()) return is_true(text) == *flag;
    if (const auto number = value.whole()) return python_int(text) == static_cast<double>(*number);
    return value.str() == text;
  }
};

std::vector<Property> properties_of(const Spec& spec, const Ratios& setting) {
  const Value* image = spec.data.find("image");
  const Value* properties = image ? image->fields().find("properties") : nullptr;
  const Value::Dict* dict = properties ? properties->fields().dict() : nullptr;
  std::vector<Property> all;
  for (const auto& [key, value] : dict ? *dict : Value::Dict()) {
    double weight = setting.empty() ? 1 : 0;
    for (const auto& [name, ratio] : setting) weight = name == key ? ratio : weight;
    if (!value.is_none() && weight != 0) all.push_back({"image_" + key, value, weight});
  }
  return all;
}

double occurrences(const Property& property, const HostState* host) {
  const Value* instances = host ? host->attributes.find("instances") : nullptr;
  double count = 0;
  for (const auto& [id, instance] : instances && instances->dict() ? *instances->dict() : Value::Dict()) {
    const Value* metadata = instance.fields().find("system_metadata");
    const Value* text = metadata ? metadata->find(property.key) : nullptr;
    if (text && property.occurs_as(text->str())) ++count;
  }
  return count;
}

class ImagePropertiesWeigher : public plugin::Weigher {
 public:
  explicit ImagePropertiesWeigher(const Shared& shared) : shared_(shared) {}

  void weigh(const plugin::Call& call, plugin::Weights& weights) const override {
    const auto options = shared_.settings->of(call);
    const bool on = options->multiplier(kMultiplier).value_or(0) != 0;
    const auto all =
        on ? properties_of(*shared_.specs->of(call), options->image_props_weight_setting) : std::vector<Property>();
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      double weight = 0;
      for (const Property& property : all) {
        weight += property.weight * occurrences(property, shared_.hosts->of(call).hosts.find(candidates[i]));
      }
      weights.set(i, weight);
    }
    write_multipliers(call, shared_, {kMultiplier}, weights);
  }

 private:
  const Shared shared_;
};

}  // namespace

void add_image_properties_weigher(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("ImagePropertiesWeigher", std::make_unique<ImagePropertiesWeigher>(shared));
}

}  // namespace emplace::nova
