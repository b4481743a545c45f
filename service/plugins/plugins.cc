#include "service/plugins/plugins.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "service/plugins/configuration.h"

namespace emplace {
namespace {

constexpr std::int64_t kLongestDeadlineMs = 60'000;
constexpr std::string_view kInProcess = "in-process", kWorker = "worker";
constexpr std::string_view kAvailable = "available", kRequired = "required";

Result<void> check_choice(const PluginChoice& choice) {
  if (!choice.isolation.empty() && choice.isolation != kInProcess && choice.isolation != kWorker) {
    return fail(ErrorCode::kInvalid, fmt::format("plugin {}: isolation: wanted \"{}\" or \"{}\", found \"{}\"",
                                                 choice.path, kWorker, kInProcess, choice.isolation));
  }
  if (choice.confinement != kAvailable && choice.confinement != kRequired) {
    return fail(ErrorCode::kInvalid, fmt::format("plugin {}: confinement: wanted \"{}\" or \"{}\", found \"{}\"",
                                                 choice.path, kAvailable, kRequired, choice.confinement));
  }
  if (choice.deadline_ms < 1 || choice.deadline_ms > kLongestDeadlineMs) {
    return fail(ErrorCode::kInvalid, fmt::format("plugin {}: deadline_ms: wanted 1 to {}, found {}", choice.path,
                                                 kLongestDeadlineMs, choice.deadline_ms));
  }
  return {};
}

// A relative path may not leave the plugin directory.
Result<std::filesystem::path> place_of(const PluginSettings& settings, const std::string& name) {
  const std::filesystem::path path(name);
  if (path.is_relative() && path.has_parent_path()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("plugin {}: path: wanted a file name in {} or an absolute path, found \"{}\"", name,
                            settings.directory.string(), name));
  }
  return path.is_absolute() ? path : settings.directory / path;
}

Result<std::filesystem::path> find_library(const PluginSettings& settings, const std::string& name) {
  auto library = place_of(settings, name);
  std::error_code ignored;
  if (library && !std::filesystem::is_regular_file(*library, ignored)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("plugin {}: path: wanted a shared object, found no file {}", name, library->string()));
  }
  return library;
}

// Those that ship with Emplace lie in its plugin directory; a stranger's are not let into this process unasked.
std::string isolation_of(const PluginSettings& settings, const PluginChoice& choice,
                         const std::filesystem::path& library) {
  if (!choice.isolation.empty()) return choice.isolation;
  std::error_code ignored;
  const bool ships = std::filesystem::equivalent(library.parent_path(), settings.directory, ignored);
  return std::string(ships ? kInProcess : kWorker);
}

// Where a plugin would be loaded that is well chosen and has its own process: what is wrong with its files concerns
// nobody else.
std::optional<std::filesystem::path> place_apart(const PluginSettings& settings, const PluginChoice& choice) {
  const auto library = place_of(settings, choice.path);
  if (!check_choice(choice) || !library || isolation_of(settings, choice, *library) != kWorker) return std::nullopt;
  return *library;
}

// The loader knows a library by its path: another file of the same path would be taken for the one that is there. The
// descriptor of the copy names this one from now on, so it stays open for as long as the code stays: for good.
std::filesystem::path path_of_its_own(const LibraryFile& library) {
  return fmt::format("/proc/self/fd/{}", fcntl(library.copy_fd(), F_DUPFD_CLOEXEC, 0));
}

bool is_loaded(const std::filesystem::path& path) {
  void* const handle = dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle) dlclose(handle);
  return handle != nullptr;
}

std::set<std::string> names_of(const Catalogue& catalogue) {
  std::set<std::string> names;
  const auto add = [&](const auto& rules) {
    for (const auto& rule : rules) names.insert(rule->traits().id);
  };
  add(catalogue.filters), add(catalogue.objectives), add(catalogue.weighers);
  return names;
}

std::string_view state_of(const LoadedPlugin& plugin) {
  if (plugin.quarantined()) return "quarantined";
  if (!plugin.worker()) return "active";
  switch (plugin.worker()->status().state) {
    case Worker::State::kRunning:
      return "active";
    case Worker::State::kRefused:
      return "refused";
    default:
      return "starting";
  }
}

}  // namespace

Tick monotonic_tick() {
  return [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  };
}

Result<CheckedPlugin> check_plugin(const PluginSettings& settings, const PluginChoice& choice) {
  if (const auto checked = check_choice(choice); !checked) return tl::unexpected(checked.error());
  const auto library = find_library(settings, choice.path);
  if (!library) return tl::unexpected(library.error());
  auto manifest = read_manifest(manifest_path(*library));
  if (!manifest) return tl::unexpected(manifest.error());
  manifest->library = *library;
  auto configuration = complete_configuration(*manifest, choice.config);
  if (!configuration) return tl::unexpected(configuration.error());
  CheckedPlugin checked{std::move(*manifest), std::move(*configuration), isolation_of(settings, choice, *library)};
  if (checked.isolation != kWorker && choice.confinement == kRequired) {
    return fail(ErrorCode::kInvalid,
                fmt::format("plugin {}: isolation: wanted \"{}\" where confinement is \"{}\", found "
                            "\"{}\"",
                            choice.path, kWorker, kRequired, checked.isolation));
  }
  return checked;
}

Result<void> Plugins::check_options(std::string_view options) const {
  const auto document = JsonDocument::parse(options, "options");
  if (!document) return tl::unexpected(document.error());
  const JsonValue all = document->root();
  for (std::size_t i = 0; i < all.size(); ++i) {
    bool known = false;
    for (const Entry& entry : entries_) {
      const auto checked = check_override(entry.plugin->manifest(), all.key(i), all.member(i));
      known = known || checked.has_value();
      if (checked && !*checked) return *checked;
    }
    if (known) continue;
    return fail(ErrorCode::kInvalid, fmt::format("{}: wanted a part of a plugin's configuration, found an unknown one",
                                                 shortened(all.key(i))));
  }
  return {};
}

Result<Plugins> Plugins::load(const PluginSettings& settings, std::span<const PluginChoice> choices) {
  Plugins plugins;
  for (const PluginChoice& choice : choices) {
    auto entry = plugins.load_entry(settings, choice);
    const auto apart = entry ? std::nullopt : place_apart(settings, choice);
    if (!entry && !apart) return tl::unexpected(entry.error());
    entry ? plugins.entries_.push_back(*std::move(entry)) : plugins.refuse(*apart, entry.error().message);
  }
  if (const auto unique = plugins.refuse_twins(); !unique) return tl::unexpected(unique.error());
  return plugins;
}

Result<Plugins> Plugins::reload(const PluginSettings& settings, std::span<const PluginChoice> choices) const {
  Plugins next;
  for (const PluginChoice& choice : choices) {
    auto entry = load_entry(settings, choice);
    const auto apart = entry ? std::nullopt : place_apart(settings, choice);
    if (apart && was_refused(*apart, entry.error().message)) {
      next.refuse(*apart, entry.error().message);
      continue;
    }
    if (!entry) return tl::unexpected(entry.error());
    const bool running = std::ranges::any_of(entries_, [&](const Entry& old) { return old.plugin == entry->plugin; });
    const Worker* const worker = entry->plugin->worker();
    if (!running && worker && worker->status().state != Worker::State::kRunning) {
      return fail(ErrorCode::kInvalid, worker->status().last_error);
    }
    next.entries_.push_back(*std::move(entry));
  }
  if (const auto unique = next.refuse_twins(); !unique) return tl::unexpected(unique.error());
  for (const Refused& one : next.refused_) {
    if (!was_refused(one.library, one.why)) return fail(ErrorCode::kInvalid, one.why);
  }
  return next;
}

void Plugins::refuse(const std::filesystem::path& library, const std::string& why) {
  refused_.push_back({manifest_path(library).stem().string(), library, why});
}

bool Plugins::was_refused(const std::filesystem::path& library, const std::string& why) const {
  return std::ranges::any_of(refused_, [&](const Refused& one) { return one.library == library && one.why == why; });
}

// A stranger's manifest may name any rule; it takes none from the service or from a plugin of its process.
Result<void> Plugins::refuse_twins() {
  std::set<std::string> taken = names_of(built_in_rules());
  for (const bool in_worker : {false, true}) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto unique =
          (entry->plugin->worker() != nullptr) == in_worker ? take_names(*entry, taken) : Result<void>();
      if (!unique && !in_worker) return unique;
      if (!unique) refuse(entry->plugin->manifest().library, unique.error().message);
      entry = unique ? std::next(entry) : entries_.erase(entry);
    }
  }
  return {};
}

// All of its rules or none.
Result<void> Plugins::take_names(const Entry& entry, std::set<std::string>& taken) {
  std::set<std::string> all = taken;
  for (const Rule& rule : entry.rules) {
    if (all.insert(rule.rule->id).second) continue;
    const Manifest& manifest = entry.plugin->manifest();
    return fail(ErrorCode::kInvalid, fmt::format("plugin {} ({}): wanted rules that nobody else has, found {} {}",
                                                 manifest.id, manifest.file.string(), rule.kind, rule.rule->id));
  }
  taken = std::move(all);
  return {};
}

// The entry that is there already, where nothing has changed.
Result<Plugins::Entry> Plugins::load_entry(const PluginSettings& settings, const PluginChoice& choice) const {
  auto checked = check_plugin(settings, choice);
  if (!checked) return tl::unexpected(checked.error());
  Manifest& manifest = checked->manifest;
  auto library = LibraryFile::read(manifest.library);
  if (!library) return tl::unexpected(library.error());
  std::string fingerprint =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", manifest.library.string(), (*library)->digest(), file_digest(manifest.file),
                  checked->isolation + choice.confinement, choice.deadline_ms, checked->configuration);
  const auto same = std::ranges::find(entries_, fingerprint, &Entry::fingerprint);
  if (same != entries_.end()) return *same;
  LoadedPlugin::Order order{{manifest, checked->configuration, *library, choice.confinement == kRequired},
                            choice.deadline_ms * 1000,
                            settings.tick};
  if (checked->isolation == kWorker) {
    auto plugin = LoadedPlugin::isolate(std::move(order), settings.worker);
    if (!plugin) return tl::unexpected(plugin.error());
    return make_entry(std::move(fingerprint), *std::move(plugin));
  }
  if (const auto tried = try_out(order.load, settings.worker); !tried) return tl::unexpected(tried.error());
  if (is_loaded(manifest.library) && !has_code(**library, manifest.library)) {
    order.load.manifest.library = path_of_its_own(**library);
  }
  auto plugin = LoadedPlugin::load(std::move(order));
  if (!plugin) return tl::unexpected(plugin.error());
  return make_entry(std::move(fingerprint), *std::move(plugin));
}

// Whether what the loader has under that path are these bytes.
bool Plugins::has_code(const LibraryFile& library, const std::filesystem::path& path) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    return entry.plugin->manifest().library == path && !entry.plugin->worker() &&
           entry.plugin->library().digest() == library.digest();
  });
}

Plugins::Entry Plugins::make_entry(std::string fingerprint, std::shared_ptr<LoadedPlugin> plugin) {
  Entry entry{std::move(fingerprint), std::move(plugin), {}, {}};
  const auto add = [&](const char* kind, const std::vector<ManifestRule>& rules) {
    for (const ManifestRule& rule : rules) entry.rules.push_back({kind, &rule, std::make_shared<CallCounts>()});
  };
  const Manifest& manifest = entry.plugin->manifest();
  add("filter", manifest.filters);
  add("objective", manifest.objectives);
  add("weigher", manifest.weighers);
  if (manifest.has_consumer) entry.consumer = std::make_shared<CallCounts>();
  return entry;
}

void Plugins::add_rule(const Entry& entry, const Rule& rule, Catalogue& catalogue) {
  if (rule.kind == "filter") catalogue.filters.push_back(make_filter(entry.plugin, *rule.rule, rule.counts));
  if (rule.kind == "objective") catalogue.objectives.push_back(make_objective(entry.plugin, *rule.rule, rule.counts));
  if (rule.kind == "weigher") catalogue.weighers.push_back(make_weigher(entry.plugin, *rule.rule, rule.counts));
}

Catalogue Plugins::add_to(Catalogue catalogue) const {
  for (const Entry& entry : entries_) {
    for (const Rule& rule : entry.rules) add_rule(entry, rule, catalogue);
    if (entry.consumer) catalogue.consumers.push_back(make_consumer(entry.plugin, entry.consumer));
  }
  return catalogue;
}

std::string Plugins::refusals() const {
  std::string all;
  for (const Refused& one : refused_) {
    all += fmt::format("{}plugin {} was refused: {}", all.empty() ? "" : "; ", one.id, one.why);
  }
  return all;
}

std::vector<PluginStatus> Plugins::status() const {
  std::vector<PluginStatus> all;
  for (const Entry& entry : entries_) all.push_back(status_of(entry));
  for (const Refused& one : refused_) {
    PluginStatus& status = all.emplace_back();
    status.id = one.id, status.library = one.library.string(), status.isolation = kWorker;
    status.state = "refused", status.last_error = one.why;
  }
  return all;
}

PluginStatus Plugins::status_of(const Entry& entry) {
  const LoadedPlugin& plugin = *entry.plugin;
  const Manifest& manifest = plugin.manifest();
  PluginStatus status{manifest.id,
                      manifest.version,
                      manifest.description,
                      manifest.licence,
                      manifest.library.string(),
                      std::string(plugin.worker() ? kWorker : kInProcess),
                      std::string(state_of(plugin)),
                      plugin.configuration(),
                      plugin.deadline_us() / 1000,
                      plugin.observations(),
                      {}};
  for (const Rule& rule : entry.rules) status.rules.push_back({rule.kind, rule.rule->id, rule.counts->totals()});
  if (!plugin.worker()) return status;
  const Worker::Status worker = plugin.worker()->status();
  status.restarts = worker.restarts;
  status.last_error = worker.last_error;
  status.confinement = names_of_confinement(worker.confinement);
  return status;
}

void Plugins::observe(const Picture& picture) const {
  for (const Entry& entry : entries_) static_cast<void>(entry.plugin->observe(picture));
}

std::vector<ListedPlugin> list_plugins(const std::filesystem::path& directory) {
  std::vector<ListedPlugin> listed;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(directory, ignored)) {
    if (file.path().extension() != ".json") continue;
    auto manifest = read_manifest(file.path());
    if (manifest) manifest->library = library_path(file.path());
    listed.push_back({file.path(), std::move(manifest)});
  }
  std::ranges::sort(listed, {}, &ListedPlugin::file);
  return listed;
}

}  // namespace emplace
