// What the loader sends and expects back. Every message differs from the others under way, so that
// a stale, repeated or reordered echo cannot pass: in 16 bytes that its seed decides, since filling
// a whole large message would make the loader the bottleneck. All others are equal and compared as
// well.
//
// Text is a JSON object as Python's json.dumps writes it, of English words, from 40 bytes up: an
// application that parses and writes it again answers the same bytes, and it compresses as text
// does (1 KiB to about a half). Binary is pseudo-random, which doesn't compress.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

class Messages {
 public:
  Messages(std::size_t size, bool text) : bytes_(size), letters_(text) {
    std::mt19937 random(7);
    if (!text) {
      std::generate(bytes_.begin(), bytes_.end(), [&] { return std::uint8_t(random()); });
    } else {
      fill_text(random);
    }
    varying_ = std::min<std::size_t>(kVarying, size - std::min(size, offset_));
  }

  std::size_t size() const { return bytes_.size(); }

  // Good until the next call.
  std::span<const std::uint8_t> make(std::uint64_t seed) {
    const auto varied = vary(seed);
    std::copy_n(varied.begin(), varying_, bytes_.begin() + std::ptrdiff_t(offset_));
    return bytes_;
  }

  bool matches(std::uint64_t seed, std::span<const std::uint8_t> message) {
    make(seed);
    return message.size() == bytes_.size() &&
           (bytes_.empty() || std::memcmp(message.data(), bytes_.data(), bytes_.size()) == 0);
  }

 private:
  static constexpr std::size_t kVarying = 16;

  std::array<std::uint8_t, kVarying> vary(std::uint64_t seed) const {
    std::array<std::uint8_t, kVarying> varied;
    for (std::uint8_t& byte : varied) {
      byte = std::uint8_t((letters_ ? 'A' : 0xF0) + (seed & 0xF));
      seed >>= 4;
    }
    return varied;
  }

  void fill_text(std::mt19937& random) {
    static constexpr std::array<const char*, 24> kWords = {
        "door", "window", "kitchen", "light", "is",    "the",  "open", "closed",
        "at",   "now",    "reading", "value", "level", "user", "from", "garden",
        "heat", "of",     "sensor",  "alarm", "off",   "on",   "and",  "state"};
    std::string text;
    while (text.size() < bytes_.size()) {
      text += kWords[random() % kWords.size()];
      text += ' ';
      if (random() % 8 == 0) text.append(std::to_string(random() % 1000)).append(" ");
    }
    const std::string head = R"({"id": "0123456789ABCDEF", "text": ")", tail = R"("})";
    if (bytes_.size() >= head.size() + tail.size()) {
      offset_ = 8;
      text = head + text.substr(0, bytes_.size() - head.size() - tail.size()) + tail;
    }
    std::copy_n(text.begin(), bytes_.size(), bytes_.begin());
  }

  std::vector<std::uint8_t> bytes_;
  bool letters_;
  std::size_t offset_ = 0, varying_ = 0;
};
