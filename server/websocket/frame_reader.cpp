// wslay's frame API asks for bytes by a callback, which gives it exactly one frame at a time. So
// between two frames wslay holds no bytes, and its context may be destroyed. Loop thread only.
#include "server/websocket/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <wslay/wslay.h>

namespace cppasgi::websocket {
namespace {

ssize_t on_recv(std::uint8_t* buffer, std::size_t size, int flags, void* user_data) noexcept;

constexpr wslay_frame_callbacks kCallbacks = {nullptr, on_recv, nullptr};

}  // namespace

FrameReader::FrameReader() {
  if (wslay_frame_context_init(&context_, &kCallbacks, &input_) != 0) throw std::bad_alloc();
}

FrameReader::~FrameReader() { wslay_frame_context_free(context_); }

bool FrameReader::start(std::string_view header) {
  input_ = header;
  wslay_frame_iocb frame{};
  return wslay_frame_recv(context_, &frame) != WSLAY_ERR_PROTO;
}

void FrameReader::read(std::string_view masked, std::string& payload) {
  input_ = masked;
  wslay_frame_iocb frame{};
  while (wslay_frame_recv(context_, &frame) > 0) {
    payload.append(reinterpret_cast<const char*>(frame.data), frame.data_length);
  }
}

namespace {

ssize_t on_recv(std::uint8_t* buffer, std::size_t size, int /*flags*/, void* user_data) noexcept {
  auto& input = *static_cast<std::string_view*>(user_data);
  if (input.empty()) return -1;  // wslay makes WSLAY_ERR_WANT_READ of it
  size = std::min(size, input.size());
  std::memcpy(buffer, input.data(), size);
  input.remove_prefix(size);
  return static_cast<ssize_t>(size);
}

}  // namespace
}  // namespace cppasgi::websocket
