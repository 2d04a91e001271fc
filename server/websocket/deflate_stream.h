// zlib's raw deflate streams as objects (RFC 1951), divided into messages as RFC 7692 7.2 says:
// each message is flushed to a byte boundary, and the four bytes that the flush ends with aren't
// sent. They know no frames and no limits. Loop thread only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

struct z_stream_s;

namespace cppasgi::websocket {

class Compressor {
 public:
  // Throws std::bad_alloc, also for values that zlib refuses.
  Compressor(int level, int window_bits, int memory_level);
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  // Compresses a message into `buffer`, which grows as needed; the result points into it.
  // Precondition: neither is empty.
  std::string_view compress(std::string_view message, std::vector<char>& buffer);
  void reset();  // the next message won't refer to earlier ones

  // How much memory one takes; most of it is allocated at once (zconf.h).
  static std::size_t memory_bytes(int window_bits, int memory_level);

 private:
  std::unique_ptr<z_stream_s> stream_;
};

class Inflater {
 public:
  explicit Inflater(int window_bits);  // 8 to 15; throws std::bad_alloc
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  struct Piece {
    std::size_t size = 0;  // in the output, which is full or `input` used up unless invalid
    bool invalid = false;  // what follows isn't deflate data
  };
  // Takes bytes off the front of `input`.
  Piece inflate(std::string_view& input, std::span<char> output);
  // Whether the data so far ends with a block, at a byte boundary.
  bool at_block_end() const;
  void reset();  // forgets earlier messages

  static std::size_t memory_bytes(int window_bits);

 private:
  std::unique_ptr<z_stream_s> stream_;
};

// The bytes that the last flush of a message ends with; the sender removes them (RFC 7692 7.2.1).
inline constexpr std::string_view kFlushTail{"\0\0\xff\xff", 4};

}  // namespace cppasgi::websocket
