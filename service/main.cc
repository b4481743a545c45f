// emplaced: the parts, top to bottom. Each is made here, in the order in which they need each other, and taken down in
// the reverse order; nothing else knows all of them. What a part is made of lies in service/wiring.
#include <fmt/format.h>
#include <malloc.h>

#include <QCoreApplication>
#include <cstdio>

#include "service/core/act/scheduler.h"
#include "service/core/doors/drivers.h"
#include "service/observe/reservations.h"
#include "service/process/streams.h"
#include "service/wiring/access.h"
#include "service/wiring/arguments.h"
#include "service/wiring/check.h"
#include "service/wiring/complaint.h"
#include "service/wiring/database.h"
#include "service/wiring/log.h"
#include "service/wiring/notes.h"
#include "service/wiring/recovery.h"
#include "service/wiring/rest.h"
#include "service/wiring/signals.h"
#include "service/wiring/world.h"

namespace emplace {
namespace {

Result<void> serve(const Config& config, const DatabasePart& database) {
  log_notes(config);
  const auto arena = Arena::create();
  if (!arena) return tl::unexpected(arena.error());
  const auto plugins = PluginPart::load(config, *arena);
  if (!plugins) return tl::unexpected(plugins.error());
  const auto tokens = tokens_of(config);
  if (!tokens) return tl::unexpected(tokens.error());
  const auto policy = policy_of(config);
  if (!policy) return tl::unexpected(policy.error());
  PostgresStore store(database.options(config));
  if (const auto filled = (*plugins)->fill(store, start_deadline()); !filled) return filled;
  const auto pictures = PicturePart::open(config, *arena, store, **plugins);
  if (!pictures) return tl::unexpected(pictures.error());
  observe::Observer& observer = (*pictures)->observer();
  observe::Findings findings(wall_clock_us, log_line);
  const auto libvirt = LibvirtPart::start(config, observer, store, findings);
  if (!libvirt) return tl::unexpected(libvirt.error());
  const auto cloud = CloudPart::start(config, observer, store, findings);
  if (!cloud) return tl::unexpected(cloud.error());
  Drivers hypervisors(*cloud ? std::vector<Hypervisors*>{&(*libvirt)->hosts(), &(*cloud)->openstack().hosts()}
                             : std::vector<Hypervisors*>{&(*libvirt)->hosts()});
  Scheduler scheduler(observer, store, hypervisors, ambient());
  observe::ReservationBook reservations(observer, store, wall_clock_us, log_line);
  http::LinePool lines(config.line_threads);
  const auto rest = RestPart::start({config, *tokens, *policy, store, **plugins, **pictures, findings, **libvirt,
                                     cloud->get(), hypervisors, scheduler, reservations, lines});
  if (!rest) return tl::unexpected(rest.error());
  store.keep_house();
  const Recovery recovery(scheduler, store, lines);
  const Signals signals([] { QCoreApplication::exit(0); }, [&] { (*plugins)->reload_on(lines, store); });
  log_ready(config, *tokens, *observer.latest(), (*rest)->url());
  const int code = QCoreApplication::exec();
  log_line("info", "event=draining");
  (*rest)->stop();
  return code == 0 ? Result<void>() : fail(ErrorCode::kUnavailable, "stopped: see the log");
}

int run(int argc, char** argv, const Arguments& given) {
  if (given.check_only) {
    const auto checked = check(given.config);
    return checked ? end_of_output(kDone) : complain(checked.error());
  }
  Signals::block();
  const QCoreApplication application(argc, argv);
  if (const auto addresses = check_addresses(given.config); !addresses) return complain(addresses.error());
  const auto database = DatabasePart::open(given.config);
  if (!database) return complain(database.error());
  if (given.migrate_only) return kDone;
  const auto served = serve(given.config, *database);
  return served ? kDone : complain(served.error());
}

}  // namespace
}  // namespace emplace

int main(int argc, char** argv) {
  emplace::keep_standard_streams();
  emplace::keep_plain_locale();
  // What is as large as an answer about all hosts gets pages of its own, which go back to the system as soon as it is
  // freed; without this the bound rises with the largest of them, and they leave holes between what lives longer.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  try {
    const auto given = emplace::read_arguments(argc, argv);
    const auto* const arguments = std::get_if<emplace::Arguments>(&given);
    return arguments ? emplace::run(argc, argv, *arguments) : std::get<int>(given);
  } catch (const std::exception& error) {
    fmt::print(stderr, "emplaced: {}\n", error.what());
    return emplace::kCannotRun;
  }
}
