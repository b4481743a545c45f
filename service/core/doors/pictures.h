// Pictures: the door to where pictures come from (service/observe).
//
// Threads: any.
#pragma once

#include <cstdint>
#include <memory>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/picture/picture.h"

namespace emplace {

class Pictures {
 public:
  virtual ~Pictures() = default;
  virtual std::shared_ptr<const Picture> latest() const = 0;
  // Waits until the latest picture contains the event (a caller reads its own writes), at most until the deadline.
  // False at once when the whole state is loaded anew meanwhile, and the event is not in it: it may never be.
  virtual bool wait_for(std::int64_t event_seq, Deadline deadline) const = 0;
  // The picture of that version again, from the history: kGone "emplace.replay.expired" beyond retention, also for a
  // version of another replica.
  virtual Result<std::shared_ptr<const Picture>> at(const PictureVersion& version) const = 0;
};

}  // namespace emplace
