#include "service/observe/roster.h"

#include <algorithm>

namespace emplace::observe {
namespace {

constexpr int kDoubts = 2;

}  // namespace

void Roster::connected(const std::string& host, const std::string& identity) {
  const std::lock_guard lock(mutex_);
  News& news = hosts_[host];
  news.is_connected = true;
  news.identity = identity;
}

void Roster::lost(const std::string& host) {
  const std::lock_guard lock(mutex_);
  News& news = hosts_[host];
  const std::uint64_t looks = news.looks;
  news = News{};
  news.looks = looks;  // never the same number again
  note_twice(host);
}

void Roster::looking(const std::string& host, std::shared_ptr<const Picture> picture) {
  const std::lock_guard lock(mutex_);
  News& news = hosts_[host];
  ++news.looks;
  news.before = std::move(picture);
}

void Roster::list(const std::string& host, std::span<const DomainSeen> all) {
  const std::lock_guard lock(mutex_);
  News& news = hosts_[host];
  news.listed = news.looks;
  news.all.clear();
  news.running.clear();
  for (const DomainSeen& seen : all) {
    news.all.insert(seen.id);
    if (seen.state == VmState::kRunning) news.running.insert(seen.id);
  }
  compare(host);
  note_twice(host);
}

void Roster::see(const std::string& host, const DomainSeen& seen) {
  const std::lock_guard lock(mutex_);
  News& news = hosts_[host];
  news.all.insert(seen.id);
  seen.state == VmState::kRunning ? void(news.running.insert(seen.id)) : void(news.running.erase(seen.id));
  note_twice(host);
}

void Roster::miss(const std::string& host, const Uuid& vm) {
  const std::lock_guard lock(mutex_);
  News& news = hosts_[host];
  news.all.erase(vm);
  news.running.erase(vm);
  note_twice(host);
}

// Begins and ends what is known of vms in two places, one of which is `host`.
void Roster::note_twice(const std::string& host) {
  const News& here = hosts_[host];
  std::erase_if(twice_, [&](const auto& entry) {
    const auto& [vm, a, b] = entry.first;
    return (a == host || b == host) && (!hosts_[a].running.contains(vm) || !hosts_[b].running.contains(vm));
  });
  for (const auto& [other, news] : hosts_) {
    if (other == host || news.same_as == host || here.same_as == other) continue;
    for (const Uuid& vm : here.running) {
      if (!news.running.contains(vm)) continue;
      const auto& [a, b] = std::minmax(host, other);
      twice_.emplace(Place{vm, a, b}, Twice{hosts_[a].looks, hosts_[b].looks});
    }
  }
}

// Whether this host and another are one libvirtd.
void Roster::compare(const std::string& host) {
  News& here = hosts_[host];
  const auto is_same = [&](const News& other) {
    return other.is_connected && other.listed > 0 && !here.identity.empty() && other.identity == here.identity &&
           other.all == here.all;
  };
  for (auto& [name, other] : hosts_) {
    if (name == host) continue;
    News& later = name < host ? here : other;
    const std::string& first = std::min(name, host);
    if (is_same(other)) {
      if (later.same_as.empty() || first < later.same_as) later.same_as = first;
      later.doubts = 0;
    } else if (later.same_as == first && (!other.is_connected || ++later.doubts >= kDoubts)) {
      later.same_as.clear();
    }
  }
}

std::shared_ptr<const Picture> Roster::before(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? nullptr : found->second.before;
}

bool Roster::runs(const Uuid& vm, const std::string& host) const {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(host);
  return found != hosts_.end() && found->second.same_as.empty() && found->second.running.contains(vm);
}

std::vector<std::string> Roster::runs_also(const Uuid& vm, const std::string& host) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> others;
  for (const auto& [place, since] : twice_) {
    const auto& [id, a, b] = place;
    if (id != vm || (a != host && b != host)) continue;
    if (!hosts_.at(a).same_as.empty() || !hosts_.at(b).same_as.empty()) continue;
    const bool is_lasting = hosts_.at(a).listed > since.looks_a && hosts_.at(b).listed > since.looks_b;
    if (is_lasting) others.push_back(a == host ? b : a);
  }
  return others;
}

std::string Roster::same_as(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? std::string() : found->second.same_as;
}

std::vector<std::string> Roster::named_again(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> others;
  for (const auto& [name, news] : hosts_) {
    if (news.same_as == host) others.push_back(name);
  }
  return others;
}

}  // namespace emplace::observe
