// On a connection in use, a request and its response take no memory from the heap: everything is
// used again.
#include <cstdlib>
#include <new>
#include <string>

#include "server/http1/http1_protocol.h"
#include "support/catch.h"

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  void* block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

TEST_CASE("Http1Protocol: a request and its response allocate nothing once warm", "[http1]") {
  using namespace cppasgi;
  const HttpLimits limits;
  const std::string request =
      "POST /api/threads/12?page=2 HTTP/1.1\r\nHost: example.org:8000\r\n"
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
      "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  const http::ResponseHead head{
      200, {{"content-type", "application/json"}, {"connection", "keep-alive"}}};
  http1::Http1Protocol protocol(limits);
  std::size_t before = 0;
  for (int round = 0; round < 10; ++round) {
    if (round == 2) before = allocations;
    const bool whole = protocol.receive_data(request) == request.size();
    protocol.send_head(head, {"Sun, 06 Nov 1994 08:49:37 GMT", "cppasgi"});
    protocol.send_content("{\"a\": 1", More::Yes);
    protocol.send_content("}", More::No);
    protocol.bytes_to_send().consume(protocol.bytes_to_send().size());
    if (!whole || !protocol.keep_alive()) FAIL("the connection didn't go on");
    protocol.next_request();
  }
  CHECK(allocations == before);
}
