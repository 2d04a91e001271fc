// A whole HTTP session over an in-memory stream (server/session): however a client's bytes are cut,
// whenever the application answers and however slowly the client reads, the client gets the same
// bytes, the application sees the same requests, and the session ends with the connection.
// The input is what the client sends; the last letter of a request's target says how the
// application answers it, so the corpus is plain requests.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "require.h"
#include "support/fake_host.h"
#include "support/feed.h"
#include "support/test_application.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

std::uint32_t hash(std::string_view text, std::uint32_t seed = 2166136261U) {
  for (const char byte : text) seed = (seed ^ static_cast<unsigned char>(byte)) * 16777619U;
  return seed;
}

// What differs between two runs over the same bytes.
struct Conditions {
  const char* name;
  bool cut = false;           // the bytes come in pieces
  bool late = false;          // the application answers in another batch than the request came in
  bool slow_client = false;   // the kernel takes only a few bytes at once
  bool small_limits = false;  // and of neither side may much wait in memory
};

struct Outcome {
  std::string to_client;  // without "100 Continue", which depends on what has come when
  std::string requests;   // as the application saw them
  std::string access;
  bool reset = false;
};

// Answers a request once it has all of its content. What it says depends on the request alone.
class Answering {
 public:
  explicit Answering(bool late) : late_(late) {
    application.on_http = [this](HttpCall& call) { begin(call); };
    application.on_http_content = [this](HttpCall& call) { take(call); };
    application.on_websocket = [this](WebSocketCall& call) {
      if (late_) {
        websockets_.push_back(&call);
      } else {
        call.responder()->accept({}, {});
      }
    };
    // Only notes messages: a close frame right behind one may overtake the answer to it.
    application.on_websocket_message = [this](WebSocketCall& call) {
      while (call.responder() != nullptr && call.take()) {
        requests += "message " + std::to_string(hash(call.messages.back())) + '\n';
      }
    };
  }

  TestApplication application;
  std::string requests;

  // Gives the answers that were put off; false when there were none.
  bool answer_waiting() {
    bool any = false;
    for (HttpCall* call : std::exchange(waiting_, {})) {
      any = true;
      if (call->responder() != nullptr) take_now(*call);
    }
    for (WebSocketCall* call : std::exchange(websockets_, {})) {
      any = true;
      if (call->responder() != nullptr) call->responder()->accept({}, {});
    }
    return any;
  }

 private:
  void begin(HttpCall& call) {
    const http::RequestHead& head = call.responder()->request();
    std::uint32_t fields = 0;
    for (std::size_t i = 0; i < head.field_count(); ++i) {
      fields = hash(head.field(i).value, hash(head.field(i).name, fields));
    }
    requests += call.request_line + ' ' + std::to_string(fields) + '\n';
    // An answer to a request that is still coming ends the connection (RFC 9112 9.6), and whether
    // it is depends on the cuts: only what has no content is answered before its end.
    const bool has_content = head.count("content-length") + head.count("transfer-encoding") != 0;
    if (call.request_line.back() == 'a' && !has_content && !late_) answer(call);
  }

  void take(HttpCall& call) {
    if (late_) {
      waiting_.push_back(&call);
    } else {
      take_now(call);
    }
  }

  void take_now(HttpCall& call) {
    if (call.ended) return;
    call.take();
    if (call.ended) answer(call);
  }

  void answer(HttpCall& call) {
    requests += "content " + std::to_string(call.content.size()) + ' ' +
                std::to_string(hash(call.content)) + '\n';
    HttpResponder& responder = *call.responder();
    const std::string text = call.request_line + ' ' + std::to_string(call.content.size());
    switch (call.request_line.back()) {
      case 'c':
        call.answer(text, {{"Connection", "close"}});
        break;
      case 'f':
        responder.fail();
        break;
      case 'g':
        responder.send_head({200, {}});
        responder.fail();
        break;
      case 'h':  // the connection is cut
        responder.send_head({200, {}});
        responder.send_content(text, More::Yes);
        responder.fail();
        break;
      case 'l':
        require(call.answer(text, {{"content-length", "2"}}) == SendStatus::TooLong, "too long");
        responder.fail();
        break;
      case 'n':
        responder.send_head({204, {}});
        responder.send_content(text, More::No);
        break;
      case 's':
        responder.send_head({200, {}});
        for (int piece = 0; piece < 3; ++piece) responder.send_content(text, More::Yes);
        responder.send_content({}, More::No);
        break;
      case 't':
        require(call.answer(text, {{"content-length", "20000"}}) == SendStatus::TooShort,
                "too short");
        break;
      default:
        call.answer(text);
        break;
    }
  }

  const bool late_;
  std::vector<HttpCall*> waiting_;
  std::vector<WebSocketCall*> websockets_;
};

std::string without_100_continue(std::string text) {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  for (std::size_t at = 0; (at = text.find(kContinue, at)) != std::string::npos;) {
    text.erase(at, kContinue.size());
  }
  return text;
}

Pieces cut(std::string_view text) {
  std::uint32_t random = hash(text);
  Pieces pieces;
  while (!text.empty()) {
    random = random * 1664525U + 1013904223U;
    const std::size_t size = 1 + (random >> 24) % ((random & 0x10000U) != 0 ? 4 : 64);
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

Outcome run(std::string_view stream, const Conditions& conditions) {
  ServerOptions options;
  options.http = {.max_target_bytes = 64, .max_header_bytes = 512, .max_header_count = 16};
  options.websocket = {.max_message_bytes = 256, .max_frame_bytes = 256};
  if (conditions.small_limits) {
    options.incoming = {.high_bytes = 8, .low_bytes = 4};
    options.outgoing = {.high_bytes = 32, .low_bytes = 8};
  }
  Answering answering(conditions.late);
  FakeHost host(answering.application, options);
  const std::shared_ptr<Wire> wire = host.connect();

  // One turn of the loop after the other until nothing more happens.
  const auto settle = [&] {
    std::size_t before = 0;
    do {
      before = wire->received.size() + wire->waiting_bytes();
      if (conditions.slow_client && !wire->closed) wire->limit_room(5);
      host.finish_batch();
      if (!wire->closed) wire->drain();
      if (!wire->closed) wire->pump();
      host.finish_batch();
    } while (answering.answer_waiting() || before != wire->received.size() + wire->waiting_bytes());
    host.finish_batch();
  };
  for (const std::string_view piece : conditions.cut ? cut(stream) : Pieces{stream}) {
    if (wire->closed) break;
    wire->send(piece);
    settle();
  }
  if (!wire->closed) wire->end();
  settle();
  require(host.connections() == 0, "a session ends with its connection");
  for (const auto& call : answering.application.http) {
    require(call->responder() == nullptr, "an exchange ends with its session");
    require(call->disconnects <= 1, "a client leaves once");
  }
  return {without_100_continue(wire->received), answering.requests, host.access(), wire->reset};
}

void print(const Conditions& conditions, const Outcome& outcome) {
  std::fprintf(stderr, "--- %s%s\n%s\n--- requests\n%s--- access log\n%s", conditions.name,
               outcome.reset ? ", reset" : "", outcome.to_client.c_str(), outcome.requests.c_str(),
               outcome.access.c_str());
}

// Lines without what they quote: of a refused head they tell what could be read until then, which
// is more when it came in one piece. Those of requests that were served tell what `requests` does.
std::string without_quoted(std::string_view lines) {
  std::string result;
  bool quoted = false;
  for (const char byte : lines) {
    if (byte == '"' || byte == '\n') quoted = byte == '"' && !quoted;
    if (!quoted) result += byte;
  }
  return result;
}

// A reset drops what wasn't sent yet: then one client may have got less than the other.
bool same(const Outcome& one, const Outcome& other) {
  if (one.requests != other.requests || one.reset != other.reset) return false;
  if (one.reset) {
    return one.to_client.starts_with(other.to_client) || other.to_client.starts_with(one.to_client);
  }
  return one.to_client == other.to_client &&
         without_quoted(one.access) == without_quoted(other.access);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr Conditions kWhole{.name = "whole"};
  static constexpr Conditions kOthers[] = {
      {.name = "in pieces", .cut = true},
      {.name = "answered late", .late = true},
      {.name = "in pieces, answered late, read slowly, small limits",
       .cut = true,
       .late = true,
       .slow_client = true,
       .small_limits = true},
  };
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const Outcome whole = run(stream, kWhole);
  for (const Conditions& conditions : kOthers) {
    const Outcome other = run(stream, conditions);
    if (same(whole, other)) continue;
    print(kWhole, whole);
    print(conditions, other);
    require(false, "what happens doesn't depend on how the stream is cut");
  }
  return 0;
}
