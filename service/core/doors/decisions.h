// What is kept of a decision, and of the answer to a request that came with an idempotency key.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/core/base/uuid.h"
#include "service/core/picture/picture.h"

namespace emplace {

struct DecisionRecord {
  Uuid id;
  Uuid vm;
  std::string profile;
  PictureVersion picture;
  std::string request;   // JSON: what a replay needs besides the picture (request, vm ids, profile, digests, now)
  std::string document;  // JSON: the decision, byte for byte what a replay must give
  std::int64_t made_at_us = 0;
  // Of the first vm; no host: none fits.
  std::string vm_name = {}, project = {}, host = {};
  std::vector<Uuid> vms = {};  // all of them, when there are several
};

struct IdempotencyKey {
  std::string key;
  std::string token;  // hash of the caller's token
  std::string body_hash;
};
struct RememberedAnswer {
  int status = 200;
  std::string body;
};

}  // namespace emplace
