#include "service/hypervisor/hosts.h"

#include <fmt/format.h>

#include <future>
#include <set>
#include <thread>

#include "service/hypervisor/domains.h"
#include "service/hypervisor/move.h"
#include "service/hypervisor/session.h"

namespace emplace {
namespace {

constexpr std::chrono::seconds kToStop{2};
constexpr std::chrono::seconds kMoveGrace{
    60};                                // for connecting, aborting and looking, beyond the time of the copy itself
constexpr std::size_t kMostMoves = 64;  // each costs two threads and four connections

HypervisorOptions complete(HypervisorOptions options) {
  // The compiled-in template always reads: a test holds it.
  if (options.templates.count("") == 0) {
    options.templates.emplace("", *DomainTemplate::parse(default_domain_template(), "the default template"));
  }
  return options;
}

Result<DomainTemplate> template_of(const HypervisorOptions& options, const std::string& name) {
  const auto found = options.templates.find(name);
  if (found != options.templates.end()) return found->second;
  std::string names;
  for (const auto& [one, ignored] : options.templates) names += one.empty() ? "" : " " + one;
  return fail(ErrorCode::kInvalid, fmt::format("vm.template: there is no template \"{}\"; there are:{}", name,
                                               names.empty() ? " none but the default" : names));
}

}  // namespace

// The moves under way. Shared with their threads, which may outlive the door.
struct LibvirtHosts::Moves {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::shared_ptr<Act>> running;  // guarded by mutex
  bool stopping = false;                   // guarded by mutex

  bool add(const std::shared_ptr<Act>& act) {
    const std::lock_guard lock(mutex);
    return !stopping && running.size() < kMostMoves && running.insert(act).second;
  }
  void remove(const std::shared_ptr<Act>& act) {
    const std::lock_guard lock(mutex);
    running.erase(act);
    changed.notify_all();
  }
  std::set<std::shared_ptr<Act>> stop() {
    const std::lock_guard lock(mutex);
    stopping = true;
    return running;
  }
  void wait_stopped(Deadline deadline) {
    std::unique_lock lock(mutex);
    changed.wait_until(lock, deadline, [&] { return running.empty(); });
  }
};

LibvirtHosts::LibvirtHosts(EventLoop&, std::vector<HostConfig> hosts, HypervisorOptions options, Reports reports)
    : options_(std::make_shared<const HypervisorOptions>(complete(std::move(options)))),
      gate_(std::make_shared<Gate>(std::move(reports))),
      moves_(std::make_shared<Moves>()) {
  for (HostConfig& config : hosts) {
    const std::string name = config.name;
    hosts_.emplace(name, std::make_shared<Host>(std::move(config), options_, gate_, deadlines_));
  }
  for (const auto& [name, host] : hosts_) host->begin();
}

LibvirtHosts::~LibvirtHosts() {
  for (const auto& [name, host] : hosts_) host->stop();
  for (const auto& act : moves_->stop()) {
    act->answer(*gate_,
                fail(ErrorCode::kUnavailable, act->what() + ": the service is stopping; the move goes its way"));
  }
  const Deadline deadline = std::chrono::steady_clock::now() + kToStop;
  for (const auto& [name, host] : hosts_) host->wait_stopped(deadline);
  moves_->wait_stopped(deadline);
  gate_->close();
}

bool LibvirtHosts::drives(const std::string& host) const { return hosts_.count(host) != 0; }

Result<void> LibvirtHosts::check(const StartOrder& order) const {
  const std::string& name = order.claim.vm_name;
  if (name.empty() || name.find('/') != std::string::npos) {
    return fail(ErrorCode::kInvalid,
                fmt::format("vm.name: wanted a name without \"/\" for a domain of libvirt's, found \"{}\"", name));
  }
  if (order.vm.vcpus < 1)
    return fail(ErrorCode::kInvalid,
                fmt::format("vm.vcpus: wanted at least 1 to start a vm, found {}", order.vm.vcpus));
  if (order.vm.memory_mib < 1) {
    return fail(ErrorCode::kInvalid,
                fmt::format("vm.memory_mib: wanted at least 1 to start a vm, found {}", order.vm.memory_mib));
  }
  const auto domain_template = template_of(*options_, order.vm.domain_template);
  if (!domain_template) return tl::unexpected(domain_template.error());
  HostSession anywhere{order.claim.host};
  anywhere.capabilities.arch = "x86_64";
  const auto xml = domain_xml(anywhere, order, *domain_template);
  return xml ? Result<void>() : tl::unexpected(xml.error());
}

Result<void> LibvirtHosts::check(const MoveOrder& order) const {
  const auto options = read_move_options(order.options);
  if (!options) return tl::unexpected(options.error());
  const auto to = hosts_.find(order.to);
  if (to == hosts_.end() || options->direct) return {};
  return peer_uri(*options, to->second->config()).map([](const std::string&) {});
}

Deadline LibvirtHosts::act_deadline() const { return std::chrono::steady_clock::now() + options_->act_deadline; }

// On another thread, as every answer: the caller may hold what its `done` takes.
void LibvirtHosts::refuse(Error error, Done done) {
  deadlines_.at(std::chrono::steady_clock::now(), [gate = gate_, error = std::move(error), done = std::move(done)] {
    gate->pass([&](const Reports&) { done(tl::unexpected<Error>(error)); });
  });
}

void LibvirtHosts::submit(const std::string& host, std::string what, Deadline deadline, Act::Work work, Done done) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) {
    return refuse({ErrorCode::kNotFound, fmt::format("{}: host {} is no libvirt host of ours", what, host)},
                  std::move(done));
  }
  found->second->submit(std::make_shared<Act>(std::move(what), deadline, std::move(work), std::move(done)));
}

void LibvirtHosts::start(StartOrder order, Done done) {
  const auto domain_template = template_of(*options_, order.vm.domain_template);
  if (!domain_template) return refuse(domain_template.error(), std::move(done));
  const std::string host = order.claim.host;
  std::string what = fmt::format("start of vm {} on host {}", order.claim.vm_name, host);
  submit(
      host, std::move(what), act_deadline(),
      [order = std::move(order), chosen = *domain_template](HostSession& session, const Act& act) {
        return start_domain(session, order, chosen, [&act] { return act.answered(); });
      },
      std::move(done));
}

void LibvirtHosts::destroy(const std::string& host, const Uuid& vm, std::optional<Uuid> claim, Done done) {
  submit(
      host, fmt::format("destroy of vm {} on host {}", to_string(vm), host), act_deadline(),
      [vm, claim](HostSession& session, const Act& act) {
        return destroy_domain(session, vm, claim, [&act] { return act.answered(); });
      },
      std::move(done));
}

void LibvirtHosts::shut_down(const std::string& host, const Uuid& vm, Done done) {
  submit(
      host, fmt::format("shut-down of vm {} on host {}", to_string(vm), host), act_deadline(),
      [vm](HostSession& session, const Act&) { return shut_down_domain(session, vm); }, std::move(done));
}

void LibvirtHosts::move(MoveOrder order, std::function<void(const MoveProgress&)> progress, Done done) {
  const auto options = read_move_options(order.options);
  if (!options) return refuse(options.error(), std::move(done));
  const std::string what = fmt::format("move of vm {} from host {} to host {}", order.vm_name, order.from, order.to);
  for (const std::string& host : {order.from, order.to}) {
    if (!drives(host))
      return refuse({ErrorCode::kNotFound, what + ": host " + host + " is no libvirt host of ours"}, done);
  }
  if (order.from == order.to) return refuse({ErrorCode::kInvalid, what + ": these are one host"}, std::move(done));

  const Deadline deadline = std::chrono::steady_clock::now() + options->timeout + kMoveGrace;
  const auto act = std::make_shared<Act>(what, deadline, nullptr, std::move(done));
  if (!moves_->add(act)) {
    const Error busy{ErrorCode::kTooMany, what + ": too many moves are under way", {}, 10};
    deadlines_.at(std::chrono::steady_clock::now(),
                  [gate = gate_, act, busy] { act->answer(*gate, tl::unexpected(busy)); });
    return;
  }
  act->ticket = deadlines_.at(deadline, [gate = gate_, act] {
    act->answer(*gate, fail(ErrorCode::kTimeout, act->what() + ": libvirt does not answer; it may still happen"));
  });
  MoveJob job{order, *options, hosts_.at(order.from)->config(), hosts_.at(order.to)->config(), *options_, {}, {}};
  job.abandoned = [act] { return act->answered(); };
  job.progress = [act, gate = gate_, progress = std::move(progress)](const MoveProgress& now) {
    if (!act->answered()) gate->pass([&](const Reports&) { progress(now); });
  };
  std::thread([job = std::move(job), act, gate = gate_, moves = moves_] {
    act->answer(*gate, move_domain(job));
    moves->remove(act);
  }).detach();
}

Result<std::vector<DomainSeen>> LibvirtHosts::domains(const std::string& host, Deadline deadline) {
  struct Asked {
    std::vector<DomainSeen> all;
    std::promise<Result<void>> answer;
  };
  const auto asked = std::make_shared<Asked>();
  auto answer = asked->answer.get_future();
  submit(
      host, "domains of host " + host, deadline,
      [asked](HostSession& session, const Act&) {
        std::vector<DiskSeen> disks;
        auto all = list_domains(session, disks);
        if (all) asked->all = std::move(*all);
        return all ? Result<void>() : tl::unexpected<Error>(all.error());
      },
      [asked](const Result<void>& result) { asked->answer.set_value(result); });
  if (answer.wait_until(deadline + std::chrono::seconds(1)) != std::future_status::ready) {
    return fail(ErrorCode::kTimeout, fmt::format("host {} did not answer in time", host));
  }
  const Result<void> result = answer.get();
  if (!result) return tl::unexpected<Error>(result.error());
  return std::move(asked->all);
}

std::vector<HostStatus> LibvirtHosts::states() const {
  std::vector<HostStatus> all;
  for (const auto& [name, host] : hosts_) all.push_back(host->status());
  return all;
}

}  // namespace emplace
