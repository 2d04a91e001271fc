// Files on their way through streams on real sockets.
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "net/stream_pair.h"
#include "server/net/uv_stream.h"
#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::net;
using namespace cppasgi::test;

namespace {

// A file without a name that holds kLarge.
class LargeFile {
 public:
  LargeFile() : fd_(memfd_create("large", 0)) {
    REQUIRE(write(fd_, kLarge.data(), kLarge.size()) == static_cast<ssize_t>(kLarge.size()));
  }
  ~LargeFile() { close(fd_); }
  LargeFile(const LargeFile&) = delete;
  LargeFile& operator=(const LargeFile&) = delete;

  int fd() const { return fd_; }
  FileSlice slice() const { return FileSlice::copy_of(fd_); }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("UvStream: a small part of a file leaves at once, without on_written", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  const LargeFile file;
  FileSlice slice = file.slice();
  slice.select(7, 5);
  CHECK(pair.stream->send_file(slice));
  CHECK(slice.size() == 0);
  CHECK(slice.offset() == 12);
  CHECK(pair.client->read_bytes(5) == "xxxxx");
  pair.loop.run_pending();
  CHECK(pair.recorder.written == 0);
}

TEST_CASE("UvStream: a large file takes many turns, and little memory in each", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  const LargeFile file;
  FileSlice slice = file.slice();
  std::thread reading([&] { pair.client->read_bytes(kLarge.size()); });
  int turns = 0;
  std::size_t most_queued = 0;
  std::uint64_t most_taken = 0;
  while (slice.size() != 0) {
    const std::uint64_t before = slice.size();
    REQUIRE(pair.stream->send_file(slice));
    most_queued = std::max(most_queued, pair.stream->queued_bytes());
    most_taken = std::max(most_taken, before - slice.size());
    if (slice.size() == 0) break;
    const std::uint64_t left = slice.size();
    CHECK(pair.stream->send_file(slice));  // while something is queued it is left alone
    CHECK(slice.size() == left);
    ++turns;
    REQUIRE(run_until(pair.loop, [&] { return pair.recorder.written == turns; }));
  }
  // The last block may have been queued.
  CHECK(run_until(pair.loop, [&] { return pair.stream->queued_bytes() == 0; }));
  reading.join();
  CHECK((pair.client->take() == kLarge));
  CHECK(turns > 10);
  CHECK(most_taken < 1'000'000);
  CHECK(most_queued < 100'000);
}

TEST_CASE("UvStream: a file that is shorter than thought, or unreadable, is told at once",
          "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  const LargeFile file;
  FileSlice slice = file.slice();
  REQUIRE(ftruncate(file.fd(), 3) == 0);
  CHECK_FALSE(pair.stream->send_file(slice));
}

TEST_CASE("UvStream: a peer that leaves within a file is an error from the loop", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  const LargeFile file;
  FileSlice slice = file.slice();
  REQUIRE(pair.stream->send_file(slice));
  pair.client->close_now();
  CHECK(run_until(pair.loop, [&] {
    if (pair.stream->queued_bytes() == 0 && slice.size() != 0) pair.stream->send_file(slice);
    return bool(pair.recorder.error);
  }));
}
