// Metrics: what GET /metrics shows, in Prometheus' text format. Counters and histograms are kept here; everything that
// somebody else knows (connections, pictures, the store) is read when the page is asked for.
//
// Threads: any. The library's header stays in metrics.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace emplace::http {

struct ApiRoom;

class Metrics {
 public:
  Metrics();
  ~Metrics();

  void answered(const std::string& method, const std::string& pattern, int status, double seconds);
  // outcome: "placed", "claimed", "none" (no host fits), "failed".
  void decided(std::string_view outcome, double line_seconds);

  std::string page(const ApiRoom& room);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace emplace::http
