// Latencies in buckets that are at most 1/64 wide of what they hold, so that recording one costs a
// few instructions and memory stays at 30 KiB however long a run is.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

class Histogram {
 public:
  void record(std::chrono::nanoseconds latency) {
    const auto value = static_cast<std::uint64_t>(latency.count() < 0 ? 0 : latency.count());
    ++counts_[bucket(value)];
    ++total_;
    if (value > most_) most_ = value;
  }

  std::uint64_t total() const { return total_; }
  double most_us() const { return static_cast<double>(most_) / 1000; }

  // The least latency, in microseconds, that at least `share` of all recorded ones don't exceed;
  // the upper bound of its bucket. 0 when nothing was recorded.
  double percentile_us(double share) const {
    const double wanted = share * static_cast<double>(total_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) {
        return std::min(static_cast<double>(upper(i)) / 1000, most_us());
      }
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 6;  // 64 buckets for each power of two
  static constexpr std::uint64_t kExact = std::uint64_t{1} << (kBits + 1);

  // Values below 128 ns have a bucket each; from there the highest seven bits choose it.
  static std::size_t bucket(std::uint64_t value) {
    if (value < kExact) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - (kBits + 1);
    return (static_cast<std::size_t>(shift) << kBits) + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t upper(std::size_t index) {
    if (index < kExact) return index;
    const std::size_t shift = (index >> kBits) - 1;
    return ((((index & ((1U << kBits) - 1)) | (1U << kBits)) + std::uint64_t{1}) << shift) - 1;
  }

  std::array<std::uint64_t, (65 - kBits) << kBits> counts_{};
  std::uint64_t total_ = 0, most_ = 0;
};
