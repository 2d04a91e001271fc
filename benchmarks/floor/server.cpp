#include "server.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace {

constexpr std::uint8_t kText = 0x1, kBinary = 0x2, kClose = 0x8;

struct Write {
  uv_write_t request;
  std::string bytes;
};

void append_header(std::string& output, std::uint8_t opcode, std::size_t length) {
  output += static_cast<char>(0x80 | opcode);
  const std::size_t extra = length < 126 ? 0 : length < 65536 ? 2 : 8;
  output += static_cast<char>(extra == 0 ? length : extra == 2 ? 126 : 127);
  for (std::size_t i = extra; i-- > 0;) {
    output += static_cast<char>(static_cast<std::uint64_t>(length) >> (8 * i));
  }
}

const llhttp_settings_t* settings(llhttp_settings_t& made, llhttp_cb complete, llhttp_data_cb field,
                                  llhttp_data_cb value, llhttp_data_cb url, llhttp_data_cb body) {
  llhttp_settings_init(&made);
  made.on_message_complete = complete;
  made.on_header_field = field;
  made.on_header_value = value;
  made.on_url = url;
  made.on_body = body;
  return &made;
}

}  // namespace

Client::Client(uv_loop_t* loop, Answerer& answerer) : answerer_(answerer) {
  static llhttp_settings_t made;
  static const llhttp_settings_t* const parsing = settings(
      made, on_complete, on_field,
      [](llhttp_t* parser, const char* at, std::size_t length) {
        Client& client = *static_cast<Client*>(parser->data);
        if (client.fields.size() % 2 == 1) client.fields.emplace_back();
        client.fields.back().append(at, length);
        client.value_begun_ = true;
        return 0;
      },
      [](llhttp_t* parser, const char* at, std::size_t length) {
        static_cast<Client*>(parser->data)->target.append(at, length);
        return 0;
      },
      [](llhttp_t* parser, const char* at, std::size_t length) {
        static_cast<Client*>(parser->data)->body.append(at, length);
        return 0;
      });
  uv_tcp_init(loop, &tcp);
  tcp.data = this;
  llhttp_init(&parser_, HTTP_REQUEST, parsing);
  parser_.data = this;
}

std::string_view Client::method() const {
  return llhttp_method_name(static_cast<llhttp_method_t>(parser_.method));
}

std::string_view Client::connection_field() const {
  return llhttp_should_keep_alive(&parser_) != 0 ? "" : "connection: close\r\n";
}

// The start of a name, or more of it: a name and its value alternate in `fields`.
int Client::on_field(llhttp_t* parser, const char* at, std::size_t length) {
  Client& client = *static_cast<Client*>(parser->data);
  if (client.fields.empty() || client.value_begun_) {
    if (client.fields.size() % 2 == 1) client.fields.emplace_back();  // the value was empty
    client.fields.emplace_back();
  }
  client.value_begun_ = false;
  for (std::size_t i = 0; i < length; ++i) {
    client.fields.back() += static_cast<char>(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]);
  }
  return 0;
}

int Client::on_complete(llhttp_t* parser) {
  Client& client = *static_cast<Client*>(parser->data);
  if (parser->upgrade != 0) {
    client.shake_hands();
  } else {
    client.answerer_.on_request(client);
  }
  client.target.clear();
  client.body.clear();
  client.fields.clear();
  client.value_begun_ = false;
  return 0;
}

void Client::shake_hands() {
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (fields[i] != "sec-websocket-key") continue;
    const std::string key = fields[i + 1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[SHA_DIGEST_LENGTH], accept[32];
    SHA1(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    websocket_ = true;
    if (!answerer_.on_websocket(*this)) return;
    const std::string head =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        std::string(reinterpret_cast<char*>(accept)) + "\r\n\r\n";
    output.insert(0, head);
  }
}

void Client::read(std::uint8_t* bytes, std::size_t size) {
  if (!websocket_) {
    const auto* text = reinterpret_cast<const char*>(bytes);
    const llhttp_errno_t error = llhttp_execute(&parser_, text, size);
    if (error != HPE_OK && error != HPE_PAUSED_UPGRADE) return close();
    if (error == HPE_OK && llhttp_should_keep_alive(&parser_) == 0 && !output.empty()) {
      flush();
      return close();
    }
    return flush();
  }
  std::size_t used = 0;
  if (!input_.empty()) {
    input_.insert(input_.end(), bytes, bytes + size);
    while (const std::size_t n = read_frame(input_.data() + used, input_.size() - used)) used += n;
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
  } else {
    while (const std::size_t n = read_frame(bytes + used, size - used)) used += n;
    input_.assign(bytes + used, bytes + size);
  }
  flush();
}

// Answers the frame at `bytes`, unmasked in place; returns its size, 0 when it isn't complete.
std::size_t Client::read_frame(std::uint8_t* bytes, std::size_t size) {
  if (size < 6 || uv_is_closing(reinterpret_cast<uv_handle_t*>(&tcp)) != 0) return 0;
  std::size_t header = 6;
  std::uint64_t length = bytes[1] & 0x7F;
  if (length >= 126) {
    header += length == 126 ? 2 : 8;
    if (size < header) return 0;
    length = 0;
    for (std::size_t i = 2; i < header - 4; ++i) length = length << 8 | bytes[i];
  }
  if (size - header < length) return 0;
  std::uint64_t key;
  std::memcpy(&key, bytes + header - 4, 4);
  std::memcpy(reinterpret_cast<char*>(&key) + 4, bytes + header - 4, 4);
  std::uint8_t* const payload = bytes + header;
  std::size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, payload + i, 8);
    word ^= key;
    std::memcpy(payload + i, &word, 8);
  }
  for (; i < length; ++i) payload[i] ^= reinterpret_cast<const std::uint8_t*>(&key)[i & 7];
  const std::span<std::uint8_t> message{payload, static_cast<std::size_t>(length)};
  const std::uint8_t opcode = bytes[0] & 0x0F;
  if (opcode == kClose) {
    append_header(output, kClose, message.size());
    output.append(reinterpret_cast<const char*>(payload), message.size());
    flush();
    close();
  } else if (opcode == kText || opcode == kBinary) {
    answerer_.on_message(*this, message, opcode == kText);
  }
  return header + static_cast<std::size_t>(length);
}

void Client::send_message(std::span<const std::uint8_t> payload, bool text) {
  append_header(output, text ? kText : kBinary, payload.size());
  output.append(reinterpret_cast<const char*>(payload.data()), payload.size());
}

void Client::flush() {
  auto* stream = reinterpret_cast<uv_stream_t*>(&tcp);
  if (output.empty() || uv_is_closing(reinterpret_cast<uv_handle_t*>(&tcp)) != 0) return;
  uv_buf_t buffer = uv_buf_init(output.data(), static_cast<unsigned>(output.size()));
  const int written = uv_try_write(stream, &buffer, 1);
  if (written < 0 && written != UV_EAGAIN) return close();
  const std::size_t done = written < 0 ? 0 : static_cast<std::size_t>(written);
  if (done < output.size()) {
    auto* write = new Write{{}, output.substr(done)};
    write->request.data = write;
    buffer = uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
    uv_write(&write->request, stream, &buffer, 1,
             [](uv_write_t* request, int) { delete static_cast<Write*>(request->data); });
  }
  output.clear();
}

void Client::close() {
  auto* handle = reinterpret_cast<uv_handle_t*>(&tcp);
  if (uv_is_closing(handle) != 0) return;
  if (websocket_) answerer_.on_gone(*this);
  uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Client*>(closed->data); });
}

void serve(int port, Answerer& answerer) {
  static char received[256 * 1024];
  static Answerer* answering = &answerer;
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t listener;
  sockaddr_in address{};
  uv_ip4_addr("127.0.0.1", port, &address);
  uv_tcp_init(loop, &listener);
  uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0);
  const auto on_connection = [](uv_stream_t* from, int) {
    auto* client = new Client(from->loop, *answering);
    auto* stream = reinterpret_cast<uv_stream_t*>(&client->tcp);
    if (uv_accept(from, stream) != 0) return client->close();
    uv_tcp_nodelay(&client->tcp, 1);
    uv_read_start(
        stream,
        [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
          *buffer = uv_buf_init(received, sizeof received);
        },
        [](uv_stream_t* read, ssize_t size, const uv_buf_t* buffer) {
          Client& reader = *static_cast<Client*>(read->data);
          if (size < 0) return reader.close();
          reader.read(reinterpret_cast<std::uint8_t*>(buffer->base),
                      static_cast<std::size_t>(size));
        });
  };
  const int status = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 1024, on_connection);
  if (status != 0) {
    std::fprintf(stderr, "floor: %s\n", uv_strerror(status));
    std::exit(2);
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { std::_Exit(0); });
  uv_run(loop, UV_RUN_DEFAULT);
}
