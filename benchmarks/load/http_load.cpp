// Sends GET requests over keep-alive connections at a fixed rate, and reports their latency. An
// open loop: requests leave when they are due, however slow the answers are, and latency counts
// from then, so that a server that stops for a moment isn't asked less. Every body is compared. One
// thread, one epoll; Linux only.
//
//   http_load PORT PATH BODY CONNECTIONS REQUESTS_PER_SECOND SECONDS
//
// Prints one JSON object; exit status 1 after a wrong answer, 2 for a wrong command line.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kDrainTimeout = std::chrono::seconds(5);
constexpr std::string_view kLength = "content-length: ";

struct WrongAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Connection {
  int fd;
  std::deque<Clock::time_point> due;  // of the requests under way
  std::string input;                  // received, not yet a whole response
};

class Load {
 public:
  Load(int port, const std::string& path, std::string body, int connections)
      : body_(std::move(body)),
        request_("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (int i = 0; i < connections; ++i) connections_.push_back({.fd = connect_to(port)});
    for (Connection& connection : connections_) {
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    }
  }

  // Spins, since epoll waits whole milliseconds and the loader has its core to itself.
  void run(double rate, double seconds) {
    const Clock::time_point start = Clock::now();
    const auto count = static_cast<std::size_t>(rate * seconds);
    for (std::size_t number = 0; number < count; ++number) {
      const auto after = std::chrono::duration<double>(static_cast<double>(number) / rate);
      const auto due = start + std::chrono::duration_cast<Clock::duration>(after);
      while (Clock::now() < due) step();
      send(connections_[number % connections_.size()], due);
    }
    const Clock::time_point end = Clock::now() + kDrainTimeout;
    while (latencies_.total() < count) {
      if (Clock::now() > end) throw WrongAnswer("an answer never came");
      step();
    }
    std::printf(
        "{\"count\": %zu, \"elapsed_seconds\": %.4f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
        "\"p999_us\": %.1f, \"most_us\": %.1f}\n",
        count, std::chrono::duration<double>(Clock::now() - start).count(),
        latencies_.percentile_us(0.5), latencies_.percentile_us(0.99),
        latencies_.percentile_us(0.999), latencies_.most_us());
  }

 private:
  static int connect_to(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw WrongAnswer(std::strerror(errno));
    }
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
  }

  void send(Connection& connection, Clock::time_point due) {
    connection.due.push_back(due);
    const ssize_t sent = ::send(connection.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request_.size())) throw WrongAnswer("a request wasn't taken");
  }

  void step() {
    epoll_event events[64];
    const int ready = epoll_wait(epoll_, events, 64, 0);
    for (int i = 0; i < ready; ++i) read(*static_cast<Connection*>(events[i].data.ptr));
  }

  void read(Connection& connection) {
    char buffer[65536];
    const ssize_t n = ::recv(connection.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) throw WrongAnswer("the server closed a connection");
    connection.input.append(buffer, static_cast<std::size_t>(n));
    while (take_response(connection)) {
      latencies_.record(Clock::now() - connection.due.front());
      connection.due.pop_front();
    }
  }

  // Removes one whole response; false if there is none yet.
  bool take_response(Connection& connection) const {
    const std::string_view text = connection.input;
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) return false;
    std::string head(text.substr(0, end));
    for (char& c : head) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::size_t length = head.find(kLength);
    if (!head.starts_with("http/1.1 200") || length == std::string::npos ||
        std::strtoul(head.c_str() + length + kLength.size(), nullptr, 10) != body_.size()) {
      throw WrongAnswer("not the expected response: " + head);
    }
    if (text.size() < end + 4 + body_.size()) return false;
    if (text.substr(end + 4, body_.size()) != body_ || connection.due.empty()) {
      throw WrongAnswer("a wrong body");
    }
    connection.input.erase(0, end + 4 + body_.size());
    return true;
  }

  std::string body_, request_;
  int epoll_;
  std::deque<Connection> connections_;
  Histogram latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  const double rate = argc == 7 ? std::atof(argv[5]) : 0,
               seconds = argc == 7 ? std::atof(argv[6]) : 0;
  if (argc != 7 || std::atoi(argv[4]) < 1 || rate <= 0 || seconds <= 0) {
    std::fprintf(stderr,
                 "usage: http_load PORT PATH BODY CONNECTIONS REQUESTS_PER_SECOND SECONDS\n");
    return 2;
  }
  try {
    Load(std::atoi(argv[1]), argv[2], argv[3], std::atoi(argv[4])).run(rate, seconds);
  } catch (const WrongAnswer& error) {
    std::fprintf(stderr, "http_load: %s\n", error.what());
    return 1;
  }
}
