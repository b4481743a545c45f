// Findings: what one test learnt about a plugin: faults (it fails with one), notes (figures and oddities that are no
// faults), what of the plugin the test never got to, or why there was nothing to test.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace emplace::check {

class Findings {
 public:
  static constexpr std::size_t kKept = 5;  // faults; further ones are counted

  void fault(std::string sentence) {
    if (std::find(faults_.begin(), faults_.end(), sentence) != faults_.end()) return;
    if (++fault_count_ <= kKept) faults_.push_back(std::move(sentence));
  }
  void note(std::string sentence) { notes_.push_back(std::move(sentence)); }
  void not_exercised(std::string what) { unexercised_.push_back(std::move(what)); }
  void skip(std::string why) { skipped_ = std::move(why); }
  // Of all answers, where a second process must come to the same.
  void digest(std::uint64_t value) { digest_ = value; }

  bool faulty() const { return fault_count_ != 0; }
  bool full() const { return fault_count_ >= kKept; }  // more of the same helps nobody
  std::size_t fault_count() const { return fault_count_; }
  const std::vector<std::string>& faults() const { return faults_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const std::vector<std::string>& unexercised() const { return unexercised_; }
  const std::string& skipped() const { return skipped_; }
  std::uint64_t digest() const { return digest_; }

 private:
  std::vector<std::string> faults_, notes_, unexercised_;
  std::size_t fault_count_ = 0;
  std::string skipped_;
  std::uint64_t digest_ = 0;
};

}  // namespace emplace::check
