// permessage-deflate from the opening handshake to the end of the connection (RFC 7692).
#include <string>
#include <string_view>
#include <vector>

#include "server/session/exchange/websocket_session.h"
#include "support/catch.h"
#include "support/fake_host.h"
#include "support/feed.h"
#include "support/test_application.h"
#include "support/websocket_client.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;
using namespace std::string_literals;
using Messages = std::vector<std::string>;

namespace {

const std::string kOffer = "Sec-WebSocket-Extensions: permessage-deflate";
const std::string kNoTakeover = "; server_no_context_takeover; client_no_context_takeover";
const std::string kHello = "\xf2\x48\xcd\xc9\xc9\x07\x00"s;  // RFC 7692 7.2.3.1

void accept(WebSocketCall& call) { call.responder()->accept({}, {}); }

std::string answer_to(const ServerOptions& options, const std::string& fields) {
  TestApplication application;
  application.on_websocket = accept;
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->send(opening_handshake(fields));
  host.finish_batch();
  return wire->take();
}

ServerOptions with_mode(WebSocketDeflate::Mode mode) {
  ServerOptions options;
  options.deflate.mode = mode;
  return options;
}

}  // namespace

TEST_CASE("WebSocketSession: an offer of compression is answered as the options say (RFC 7692 5.1)",
          "[session][websocket]") {
  using Mode = WebSocketDeflate::Mode;
  const std::string offer = kOffer + "\r\n";
  CHECK(answer_to({}, {}) == accepted());
  CHECK(answer_to({}, offer) == accepted(kOffer + kNoTakeover + "\r\n"));
  CHECK(answer_to(with_mode(Mode::Dedicated), offer) == accepted(offer));
  CHECK(answer_to(with_mode(Mode::Off), offer) == accepted());
  CHECK(answer_to({}, kOffer + "; unknown\r\n") == accepted());
  CHECK(answer_to({}, kOffer + "; unknown\r\n" + offer) == accepted(kOffer + kNoTakeover + "\r\n"));
  CHECK(answer_to({}, kOffer + ";\r\n").starts_with("HTTP/1.1 400 "));
}

TEST_CASE("WebSocketSession: compressed messages both ways, however the bytes are split",
          "[session][websocket]") {
  const std::string compressed = encode({.opcode = 1, .payload = kHello, .reserved_bits = 4});
  const std::string input =
      opening_handshake(kOffer + "\r\n") + compressed + text_frame("plain") + compressed;
  for_every_split(input, [](const Pieces& pieces) {
    TestApplication application;
    application.on_websocket = accept;
    application.on_websocket_message = [](WebSocketCall& call) {
      call.take();
      call.responder()->send_text(std::string(300, 'x'));
    };
    FakeHost host(application);
    const auto wire = host.connect();
    for (const std::string_view piece : pieces) {
      wire->send(piece);
      host.finish_batch();
    }
    const Messages expected{"t:Hello", "t:plain", "t:Hello"};
    if (application.websockets.at(0)->messages != expected)
      CHECK(application.websockets[0]->messages == expected);
    const std::string sent = wire->take().substr(accepted(kOffer + kNoTakeover + "\r\n").size());
    REQUIRE(sent.size() % 3 == 0);  // three times the same
    CHECK(sent.starts_with("\xc1"));
    CHECK(sent.size() < 60);
  });
}

TEST_CASE("WebSocketSession: memory is reserved while a WebSocket with streams of its own is open",
          "[session][websocket]") {
  TestApplication application;
  FakeHost host(application, with_mode(WebSocketDeflate::Mode::Dedicated));
  const auto wire = host.connect();
  wire->send(opening_handshake(kOffer + "\r\n"));
  host.finish_batch();
  CHECK(host.deflate.reserved_bytes() == 0);
  SECTION("not by one that is refused") { application.websockets[0]->responder()->close(1000, {}); }
  SECTION("until it is closed") {
    accept(*application.websockets[0]);
    CHECK(host.deflate.reserved_bytes() > 0);
    wire->send(close_frame(1000));
  }
  SECTION("until it is cut") {
    accept(*application.websockets[0]);
    host.connection().cut(session::Blame::Client);
  }
  host.finish_batch();
  wire->end();
  host.finish_batch();
  CHECK(host.connections() == 0);
  CHECK(host.deflate.reserved_bytes() == 0);
}
