// Writing lines to what is full, gone or shared: nobody waits, and no line is torn.
#include "server/base/line_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <poll.h>
#include <string>
#include <thread>
#include <utility>

#include "support/catch.h"

using namespace cppasgi;
using std::chrono::milliseconds;

namespace {

// A pipe or pair of sockets that takes only so much; both ends block.
class Channel {
 public:
  enum class Kind { Pipe, Socket };

  explicit Channel(Kind kind = Kind::Pipe) {
    std::signal(SIGPIPE, SIG_IGN);
    if (kind == Kind::Pipe) {
      REQUIRE(pipe(ends_.data()) == 0);
    } else {
      REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()) == 0);
      std::swap(ends_[0], ends_[1]);
    }
  }
  ~Channel() {
    close_reader();
    close(ends_[1]);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int fd() const { return ends_[1]; }
  void close_reader() {
    if (ends_[0] >= 0) close(std::exchange(ends_[0], -1));
  }
  // Everything that is there.
  std::string read() {
    std::string text;
    std::array<char, 65536> block{};
    pollfd waiting{ends_[0], POLLIN, 0};
    while (poll(&waiting, 1, 0) == 1) {
      const ssize_t size = ::read(ends_[0], block.data(), block.size());
      if (size <= 0) break;
      text.append(block.data(), static_cast<std::size_t>(size));
    }
    return text;
  }
  // Until it takes not one more byte. Returns what it took.
  std::string fill() {
    fcntl(fd(), F_SETFL, fcntl(fd(), F_GETFL) | O_NONBLOCK);
    std::string text;
    for (const std::string& line : {std::string(99, 'f') + "\n", std::string("\n")}) {
      while (::write(fd(), line.data(), line.size()) == static_cast<ssize_t>(line.size()))
        text += line;
    }
    fcntl(fd(), F_SETFL, fcntl(fd(), F_GETFL) & ~O_NONBLOCK);
    return text;
  }

 private:
  std::array<int, 2> ends_{};
};

std::string line(char letter, std::size_t size) { return std::string(size - 1, letter) + "\n"; }

// Lines numbered from `first` on.
std::string numbered(int first, int count) {
  std::string lines;
  for (int i = first; i < first + count; ++i) lines += "line " + std::to_string(i) + "\n";
  return lines;
}

}  // namespace

TEST_CASE("LineWriter: what can be written is written at once", "[base][log]") {
  Channel channel(GENERATE(Channel::Kind::Pipe, Channel::Kind::Socket));
  LineWriter writer(channel.fd());
  writer.write(numbered(0, 3));
  CHECK_FALSE(writer.waiting());
  CHECK(channel.read() == numbered(0, 3));
  CHECK(writer.dropped() == 0);
}

TEST_CASE("LineWriter: while nobody reads lines wait, and leave in their order", "[base][log]") {
  Channel channel(GENERATE(Channel::Kind::Pipe, Channel::Kind::Socket));
  LineWriter writer(channel.fd());
  const std::string before = channel.fill();
  writer.write(numbered(0, 10));
  writer.write(numbered(10, 10));
  CHECK(writer.waiting());
  CHECK(channel.read().starts_with(before));
  writer.flush();
  CHECK_FALSE(writer.waiting());
  CHECK(channel.read().ends_with(numbered(0, 20)));
  CHECK(writer.dropped() == 0);
}

TEST_CASE("LineWriter: beyond what may wait whole lines are left out and counted", "[base][log]") {
  Channel channel(GENERATE(Channel::Kind::Pipe, Channel::Kind::Socket));
  LineWriter writer(channel.fd());
  channel.fill();
  const std::size_t fit = LineWriter::kMostWaiting / 1000;
  for (std::size_t i = 0; i < fit + 5; ++i) writer.write(line('a', 1000));
  CHECK(writer.dropped() == 5);
  writer.write(line('b', 1000) + "with it\n");
  CHECK(writer.dropped() == 7);
  CHECK(writer.error() == EAGAIN);

  std::string text;
  while (writer.waiting()) {
    text += channel.read();
    writer.flush();
  }
  text += channel.read();
  text.erase(0, text.find('a'));
  CHECK(text.size() == fit * 1000);
  CHECK(text.find('b') == std::string::npos);
}

TEST_CASE("LineWriter: what was left out is told when there is room again", "[base][log]") {
  Channel channel;
  LineWriter writer(channel.fd());
  const auto leave_out = [&] {
    channel.fill();
    writer.write(line('a', LineWriter::kMostWaiting));
    writer.write(numbered(0, 3));
  };
  const auto make_room = [&] {
    while (writer.waiting()) {
      channel.read();
      writer.flush();
    }
    channel.read();
  };
  leave_out();
  CHECK(writer.untold() == 3);
  CHECK(writer.take_untold() == 0);
  make_room();
  CHECK(writer.take_untold() == 3);
  CHECK(writer.untold() == 0);
  CHECK(writer.take_untold() == 0);

  leave_out();
  make_room();
  CHECK(writer.take_untold() == 0);  // no more than once a minute
  CHECK(writer.untold() == 3);
  writer.finish(milliseconds(0));
  CHECK(writer.take_untold() == 3);  // but at the end
  CHECK(writer.dropped() == 6);
}

TEST_CASE("LineWriter: while lines can't be written, the number left out is told every minute",
          "[base][log]") {
  Channel channel;
  LineWriter writer(channel.fd(), milliseconds(40));
  channel.fill();
  writer.write(line('a', LineWriter::kMostWaiting));
  writer.write(numbered(0, 3));
  CHECK(writer.take_untold() == 0);
  std::this_thread::sleep_for(milliseconds(60));
  writer.write(numbered(3, 2));
  CHECK(writer.take_untold() == 5);
  writer.write(numbered(5, 1));
  CHECK(writer.take_untold() == 0);
  std::this_thread::sleep_for(milliseconds(60));
  CHECK(writer.take_untold() == 1);
  std::this_thread::sleep_for(milliseconds(60));
  CHECK(writer.take_untold() == 0);  // none since
}

TEST_CASE("LineWriter: a line that is half out is completed, whatever is left out", "[base][log]") {
  Channel channel(GENERATE(Channel::Kind::Pipe, Channel::Kind::Socket));
  LineWriter writer(channel.fd());
  const std::size_t size = LineWriter::kMostWaiting + 500'000;  // more than either takes
  writer.write(line('l', size) + "with it\n");
  CHECK(writer.waiting());
  writer.write("left out\n");
  CHECK(writer.dropped() == 1);
  std::string text;
  while (writer.waiting()) {
    text += channel.read();
    writer.flush();
  }
  writer.write("next\n");
  text += channel.read();
  CHECK(text == line('l', size) + "with it\nnext\n");
}

TEST_CASE("LineWriter: others' lines in the same pipe stay whole", "[base][log]") {
  Channel channel;
  LineWriter first(channel.fd());
  LineWriter second(channel.fd());
  channel.fill();
  for (int i = 0; i < 100; ++i) {
    first.write(line('1', 700) + line('1', 900));
    second.write(line('2', 1300));
  }
  std::string text;
  for (int round = 0; first.waiting() || second.waiting(); ++round) {
    text += channel.read();
    (round % 2 == 0 ? first : second).flush();
    (round % 2 == 0 ? second : first).flush();
  }
  text += channel.read();
  text.erase(0, text.find_first_of("12"));
  int whole = 0;
  for (std::size_t at = 0; at < text.size(); ++whole) {
    const std::size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    CHECK(text.substr(at, end - at) == std::string(end - at, text[at]));
    at = end + 1;
  }
  CHECK(whole == 300);
}

TEST_CASE("LineWriter: a pipe that it may not open again makes nobody wait", "[base][log]") {
  if (getuid() != 0) {
    WARN("not tested: it needs root, to be another user");
    return;
  }
  Channel channel;  // root's
  REQUIRE(seteuid(65534) == 0);
  LineWriter writer(channel.fd());
  REQUIRE(seteuid(0) == 0);
  writer.write(numbered(0, 3));
  CHECK(channel.read() == numbered(0, 3));
  const std::string lines = line('a', 1000) + line('b', 9000);
  for (int i = 0; i < 100; ++i) writer.write(lines);
  CHECK(writer.waiting());
  CHECK(writer.error() == EAGAIN);
  CHECK(writer.dropped() != 0);
}

TEST_CASE("LineWriter: the descriptor of its owner goes on blocking", "[base][log]") {
  Channel channel;
  LineWriter writer(channel.fd());
  writer.write("line\n");
  CHECK((fcntl(channel.fd(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("LineWriter: a reader that goes loses no line that it comes back for", "[base][log]") {
  std::signal(SIGPIPE, SIG_IGN);
  char folder[] = "/tmp/cppasgi-test-XXXXXX";
  const std::string path = std::string(mkdtemp(folder)) + "/fifo";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  const int fd = open(path.c_str(), O_WRONLY);
  LineWriter writer(fd);
  close(reader);
  writer.write("while nobody was there\n");
  CHECK(writer.error() == EPIPE);
  CHECK(writer.waiting());
  reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  writer.write("again\n");
  std::array<char, 100> block{};
  const ssize_t size = read(reader, block.data(), block.size());
  CHECK(std::string(block.data(), size > 0 ? static_cast<std::size_t>(size) : 0) ==
        "while nobody was there\nagain\n");
  CHECK(writer.dropped() == 0);
  close(reader);
  close(fd);
  unlink(path.c_str());
  rmdir(folder);
}

TEST_CASE("LineWriter: a full disk takes nothing, and no time", "[base][log]") {
  const int fd = open("/dev/full", O_WRONLY);
  LineWriter writer(fd);
  const std::string lines = line('a', 10'000);
  for (int i = 0; i < 100; ++i) writer.write(lines);
  CHECK(writer.error() == ENOSPC);
  CHECK(writer.dropped() == 100 - LineWriter::kMostWaiting / 10'000);
  const auto begun = std::chrono::steady_clock::now();
  writer.finish(std::chrono::seconds(20));  // room doesn't come by waiting
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
  CHECK_FALSE(writer.waiting());
  CHECK(writer.dropped() == 100);
  close(fd);
}

TEST_CASE("LineWriter: a disk that was full has whole lines in the end", "[base][log]") {
  std::signal(SIGXFSZ, SIG_IGN);
  const int fd = memfd_create("log", 0);
  const auto text = [fd] {
    std::string read(10'000, ' ');
    read.resize(static_cast<std::size_t>(pread(fd, read.data(), read.size(), 0)));
    return read;
  };
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};
  LineWriter writer(fd);
  setrlimit(RLIMIT_FSIZE, &small);
  writer.write(numbered(0, 200));
  writer.write(numbered(200, 10));
  CHECK(text().size() == 1000);
  CHECK(writer.error() == EFBIG);
  setrlimit(RLIMIT_FSIZE, &before);
  writer.write(numbered(210, 10));
  CHECK(text() == numbered(0, 220));
  CHECK(writer.dropped() == 0);
  close(fd);
}

TEST_CASE("LineWriter: at the end it waits for a reader, but not for long", "[base][log]") {
  Channel channel;
  LineWriter writer(channel.fd());
  channel.fill();
  writer.write(numbered(0, 2));
  const auto begun = std::chrono::steady_clock::now();
  SECTION("that doesn't come") {
    writer.finish(milliseconds(50));
    CHECK(std::chrono::steady_clock::now() - begun >= milliseconds(50));
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
    CHECK(writer.dropped() == 2);
  }
  SECTION("that reads") {
    std::string text;
    std::thread reader([&] {
      std::this_thread::sleep_for(milliseconds(20));
      text = channel.read();
    });
    writer.finish(std::chrono::seconds(20));
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
    reader.join();
    CHECK((text + channel.read()).ends_with(numbered(0, 2)));
    CHECK(writer.dropped() == 0);
  }
}
