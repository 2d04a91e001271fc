// The "C" floor: what apps/hello.py answers, without Python. floor PORT
#include <cstdlib>
#include <string>
#include <unordered_set>

#include "server.h"

namespace {

std::string response(std::string_view type, std::string_view content,
                     std::string_view connection_field = {}) {
  std::string text = "HTTP/1.1 200 OK\r\ncontent-type: ";
  text.append(type).append("\r\ncontent-length: ").append(std::to_string(content.size()));
  return text.append("\r\n").append(connection_field).append("\r\n").append(content);
}

class Hello final : public Answerer {
 public:
  void on_request(Client& client) override {
    if (client.target == "/") {
      client.output += response("text/plain", "Hello, world!", client.connection_field());
    } else if (client.target == "/json") {
      client.output += json_;
    } else if (client.target == "/large") {
      client.output += large_;
    } else if (client.target == "/echo") {
      client.output += response("text/plain", client.body);
    } else if (client.target == "/upload") {
      client.output += response("text/plain", std::to_string(client.body.size()));
    } else if (client.target == "/stream") {
      client.output +=
          "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
      client.flush();
      for (int i = 0; i < 100; ++i) {
        client.output.append("400\r\n").append(1024, 'x').append("\r\n");
        client.flush();
      }
      client.output += "0\r\n\r\n";
    } else {
      client.output += "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    }
  }

  bool on_websocket(Client& client) override {
    if (client.target == "/broadcast") {
      members_.insert(&client);
      client.data = this;
    }
    return true;
  }

  void on_message(Client& client, std::span<std::uint8_t> payload, bool text) override {
    if (client.data == nullptr) return client.send_message(payload, text);
    for (Client* member : members_) {
      member->send_message(payload, text);
      member->flush();
    }
  }

  void on_gone(Client& client) override { members_.erase(&client); }

 private:
  static std::string document() {
    std::string text = R"({"name": "Kyiv", "numbers": [0)";
    for (int i = 1; i < 50; ++i) text += ", " + std::to_string(i);
    return text + "]}";
  }

  static std::string large() {
    std::string text;
    for (int i = 0; i < 1024 * 1024; ++i) text += static_cast<char>(i);
    return text;
  }

  const std::string json_ = response("application/json", document());
  const std::string large_ = response("text/plain", large());
  std::unordered_set<Client*> members_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Hello hello;
  serve(std::atoi(argv[1]), hello);
}
