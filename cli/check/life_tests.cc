#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>

#include "cli/check/instance.h"
#include "cli/check/samples.h"
#include "cli/check/second_thread.h"
#include "cli/check/tests.h"
#include "service/core/json/json.h"
#include "service/plugins/configuration.h"

namespace emplace::check {
namespace {

constexpr int kRounds = 1000, kWarmUp = 200;

std::int64_t heap_bytes() {
  const auto info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

void live_once(const Setting& setting, const Question& question) {
  const auto instance = Instance::make(setting);
  for (const Rule& rule : setting.subject->rules) instance->ask(rule, question);
}

// A number that the schema allows, or nothing where it is no plain one.
std::optional<double> draw_number(JsonValue schema, bool whole, Random& random) {
  const auto bound = [&](const char* key, double otherwise) {
    const auto found = schema.find(key);
    return found && found->is_number() ? found->number() : otherwise;
  };
  const double start = bound("default", 0);
  const double least = bound("minimum", start - 1000), most = bound("maximum", std::abs(start) * 2 + 1000);
  const double share = static_cast<double>(random() % 1025) / 1024;
  const double choices[] = {least, most, start, least + (most - least) * share};
  const double value = choices[random() % 4];
  return whole ? std::floor(value) : value;
}

// A value as JSON; empty: leave it as it is.
std::string draw(JsonValue schema, Random& random) {
  if (const auto choices = schema.find("enum"); choices && choices->is_array() && choices->size() != 0) {
    return to_json(choices->item(random() % choices->size()));
  }
  const auto type = schema.find("type");
  const std::string_view name = type && type->is_text() ? type->text() : std::string_view();
  if (name == "boolean") return random() % 2 ? "true" : "false";
  if (name == "number" || name == "integer") return json_number(*draw_number(schema, name == "integer", random));
  return {};
}

// A complete configuration with some values drawn anew; those that another keyword of the schema forbids stay.
std::string draw_configuration(const Subject& subject, Random& random) {
  const auto schema = JsonDocument::parse(subject.manifest.configuration_schema, "schema");
  const auto base = JsonDocument::parse(subject.configuration, "configuration");
  const JsonValue properties = *schema->root().find("properties");
  JsonWriter out;
  out.open();
  for (std::size_t i = 0; i < base->root().size(); ++i) {
    const auto property = properties.find(base->root().key(i));
    const std::string drawn = property && random() % 3 ? draw(*property, random) : std::string();
    out.key(base->root().key(i));
    drawn.empty() ? out.value(base->root().member(i)) : out.raw(drawn);
  }
  return complete_configuration(subject.manifest, out.close().take()).value_or(subject.configuration);
}

void ask_all(Instance& instance, const Setting& setting, const Sample& sample, const std::string& configuration,
             Findings& findings) {
  for (const std::string& body : sample.requests) {
    const Question question(sample.picture, body);
    for (const Rule& rule : setting.subject->rules) {
      const Answer answer = instance.ask(rule, question);
      const auto fault = fault_in(rule, answer, question.hosts().size());
      if (fault) findings.fault(fmt::format("{} with {}: {}", rule.id, configuration, *fault));
    }
  }
}

// Nothing but answers that differ can be reported from a thread, so that is all it counts.
std::size_t ask_again_and_again(Instance& instance, const Rule& rule, const Question& question, const Answer& wanted) {
  std::size_t different = 0;
  for (int i = 0; i < 200; ++i) different += instance.ask(rule, question) == wanted ? 0 : 1;
  return different;
}

}  // namespace

Findings test_load(const Setting& setting) {
  Findings findings;
  const auto instance = Instance::make(setting, setting.subject->configuration);
  if (!instance) findings.fault(instance.error().message);
  return findings;
}

Findings test_lifecycle(const Setting& setting) {
  Findings findings;
  Random random = random_for(setting.seed, "lifecycle");
  const Sample sample = random_sample_of(random, 8, 16, 1);
  const Question question(sample.picture, sample.requests.front());
  for (int round = 0; round < kWarmUp; ++round) live_once(setting, question);
  const std::int64_t before = heap_bytes();
  for (int round = 0; round < kRounds; ++round) live_once(setting, question);
  const double per_round = static_cast<double>(heap_bytes() - before) / kRounds;
  const std::string measured = fmt::format("{:.1f} bytes of heap stay behind per round", per_round);
  // The smallest block of the heap has 24 bytes: half of one per round is a leak in every second.
  per_round >= 12 ? findings.fault(measured) : findings.note(measured);
  return findings;
}

Findings test_configurations(const Setting& setting) {
  Findings findings;
  Random random = random_for(setting.seed, "configurations");
  const Sample sample = random_sample_of(random, 24, 60, 3);
  for (int i = 0; i < 40 && !findings.full(); ++i) {
    const std::string configuration = draw_configuration(*setting.subject, random);
    const auto instance = Instance::make(setting, configuration);
    if (instance) {
      ask_all(**instance, setting, sample, configuration, findings);
    } else {
      // Limits between two values are more than its schema can say.
      findings.note(fmt::format("refuses {}: {}", configuration, instance.error().message));
    }
  }
  return findings;
}

Findings test_threads(const Setting& setting) {
  Findings findings;
  if (!setting.subject->manifest.reentrant) {
    findings.skip("the manifest does not say \"reentrant\": true");
    return findings;
  }
  Random random = random_for(setting.seed, "threads");
  const Sample sample = random_sample_of(random, kHosts, kVms, 2);
  const Question first(sample.picture, sample.requests[0]), second(sample.picture, sample.requests[1]);
  setting.watch->enter("two threads");
  auto made = Instance::make(setting, setting.subject->configuration, false);
  Instance& instance = **made;
  for (const Rule& rule : setting.subject->rules) {
    const Answer wanted = instance.ask(rule, first), other = instance.ask(rule, second);
    std::size_t different = 0;
    setting.second_thread->run([&] { different = ask_again_and_again(instance, rule, second, other); });
    if (ask_again_and_again(instance, rule, first, wanted) != 0) findings.fault(rule.id + ": answers differ");
    setting.second_thread->wait();
    if (different != 0) findings.fault(rule.id + ": answers differ");
  }
  made->reset();
  setting.watch->leave();
  return findings;
}

}  // namespace emplace::check
