#include "server/websocket/deflate_stream.h"

#include <cassert>
#include <limits>
#include <new>

#include <zlib.h>

namespace cppasgi::websocket {
namespace {

// An upper bound for zlib's structures besides windows and tables.
constexpr std::size_t kStateBytes = 8 * 1024;

// zlib takes input as non-const for historical reasons and doesn't write to it.
Bytef* bytes_of(const char* text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text)); }

uInt limited(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

Compressor::Compressor(int level, int window_bits, int memory_level)
    : stream_(std::make_unique<z_stream>()) {
  if (deflateInit2(stream_.get(), level, Z_DEFLATED, -window_bits, memory_level,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
}

Compressor::~Compressor() { deflateEnd(stream_.get()); }

std::string_view Compressor::compress(std::string_view message, std::vector<char>& buffer) {
  z_stream& stream = *stream_;
  std::size_t size = 0;
  bool flushed = false;
  while (!flushed) {
    if (size == buffer.size()) buffer.resize(2 * buffer.size());
    stream.next_in = bytes_of(message.data());
    stream.avail_in = limited(message.size());
    stream.next_out = bytes_of(buffer.data() + size);
    stream.avail_out = limited(buffer.size() - size);
    const bool last = stream.avail_in == message.size();
    deflate(&stream, last ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    message.remove_prefix(message.size() - stream.avail_in);
    flushed = last && stream.avail_out != 0;
    size = static_cast<std::size_t>(reinterpret_cast<char*>(stream.next_out) - buffer.data());
  }
  const std::string_view result(buffer.data(), size);
  assert(result.ends_with(kFlushTail));
  return result.substr(0, size - kFlushTail.size());
}

void Compressor::reset() { deflateReset(stream_.get()); }

std::size_t Compressor::memory_bytes(int window_bits, int memory_level) {
  return (std::size_t{1} << (window_bits + 2)) + (std::size_t{1} << (memory_level + 9)) +
         kStateBytes;
}

Inflater::Inflater(int window_bits) : stream_(std::make_unique<z_stream>()) {
  if (inflateInit2(stream_.get(), -window_bits) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() { inflateEnd(stream_.get()); }

Inflater::Piece Inflater::inflate(std::string_view& input, std::span<char> output) {
  z_stream& stream = *stream_;
  stream.next_out = bytes_of(output.data());
  stream.avail_out = limited(output.size());
  int status = Z_OK;
  do {
    stream.next_in = bytes_of(input.data());
    stream.avail_in = limited(input.size());
    const uInt given = stream.avail_in;
    status = ::inflate(&stream, Z_SYNC_FLUSH);
    input.remove_prefix(given - stream.avail_in);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    // A block with BFINAL has ended the stream (RFC 7692 7.2.3.4). What follows is a new stream,
    // which can't refer to anything before it (RFC 1951 3.2).
    if (status == Z_STREAM_END) inflateReset(&stream);
  } while (!input.empty() && stream.avail_out != 0 && (status == Z_OK || status == Z_STREAM_END));
  return {output.size() - stream.avail_out, status == Z_DATA_ERROR};
}

bool Inflater::at_block_end() const {
  // zlib is right after an end of a block, and no bits of the last byte are left (zlib.h, inflate).
  return (stream_->data_type & 0x80) != 0 && (stream_->data_type & 0x3f) == 0;
}

void Inflater::reset() { inflateReset(stream_.get()); }

std::size_t Inflater::memory_bytes(int window_bits) {
  return (std::size_t{1} << window_bits) + kStateBytes;
}

}  // namespace cppasgi::websocket
