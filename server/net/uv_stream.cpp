#include "server/net/uv_stream.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <poll.h>
#include <string>
#include <utility>

#include <uv.h>

#include "server/net/event_loop.h"
#include "server/net/uv_address.h"
#include "server/net/uv_error.h"

namespace cppasgi::net {

// All memory that libuv has pointers to. It outlives the UvStream until the handle is closed.
struct UvStream::State {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  // libuv's requests are larger than a handle, so they exist only while they are under way.
  struct QueuedWrite {
    uv_write_t request;
    std::string bytes;
  };
  std::unique_ptr<QueuedWrite> queued;
  StreamObserver* observer = nullptr;  // null once the UvStream is gone
  EventLoop* loop = nullptr;
  std::size_t most_bytes = SIZE_MAX;  // of one read
  // Whether the observer wants bytes. A connection that stops reading mostly resumes in the same
  // turn, so stop_reading() leaves the handle and epoll alone; the handle is stopped only if bytes
  // arrive in a later turn.
  bool reading = false;
  bool asks_again = false;  // libuv does in this turn, as the last read filled its buffer
  bool ended = false;       // the last byte was sent
};

namespace {

// The limit for one call of send_file(), so that a file doesn't keep the loop from other
// connections.
constexpr std::uint64_t kFileBytesPerTurn = 512 * 1024;
constexpr std::uint64_t kQueuedFileBytes = 16 * 1024;

void on_alloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer) noexcept;
void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) noexcept;
void on_write(uv_write_t* request, int status) noexcept;
void on_closed(uv_handle_t* handle) noexcept;

UvStream::State& state_of(void* handle) {
  return *static_cast<UvStream::State*>(static_cast<uv_handle_t*>(handle)->data);
}

// libuv takes the bytes as non-const but doesn't write to them. uv_buf_init() isn't used because
// its size has only 32 bits.
uv_buf_t to_block(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

uv_os_fd_t fd_of(const uv_handle_t& handle) {
  uv_os_fd_t fd = -1;
  uv_fileno(&handle, &fd);
  return fd;
}

// A Unix socket tells whether its peer has closed it, or only sends nothing more.
bool is_closed_by_peer(const UvStream::State& state) {
  if (state.handle.type != UV_NAMED_PIPE || state.ended) return false;
  pollfd socket{fd_of(state.handle), 0, 0};
  return poll(&socket, 1, 0) == 1 && (socket.revents & POLLHUP) != 0;
}

// Like uv_try_write(), but uses the system calls that cost the kernel the least. Returns -1 for any
// error.
ssize_t send_now(const uv_handle_t& handle, std::string_view first, std::string_view second,
                 int flags) {
  flags |= MSG_DONTWAIT | MSG_NOSIGNAL;
  if (second.empty()) return send(fd_of(handle), first.data(), first.size(), flags);
  std::array<iovec, 2> blocks{iovec{const_cast<char*>(first.data()), first.size()},
                              iovec{const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = blocks.data();
  message.msg_iovlen = blocks.size();
  return sendmsg(fd_of(handle), &message, flags);
}

}  // namespace

UvStream::UvStream(EventLoop& loop, Address peer, std::shared_ptr<const Address> local)
    : loop_(loop), state_(new State), peer_(std::move(peer)), local_(std::move(local)) {
  state_->loop = &loop;
  if (peer_.family == Address::Family::Tcp) {
    uv_tcp_init(loop.raw(), &state_->tcp);
  } else {
    uv_pipe_init(loop.raw(), &state_->pipe, 0);
  }
  state_->handle.data = state_;
}

std::unique_ptr<UvStream> UvStream::adopt(EventLoop& loop, int fd, Address peer,
                                          std::shared_ptr<const Address> local) {
  std::unique_ptr<UvStream> stream(new UvStream(loop, std::move(peer), std::move(local)));
  const int status = stream->peer_.family == Address::Family::Tcp
                         ? uv_tcp_open(&stream->state_->tcp, fd)
                         : uv_pipe_open(&stream->state_->pipe, fd);
  if (status == 0) return stream;
  close(fd);
  return nullptr;
}

UvStream::~UvStream() {
  state_->observer = nullptr;
  const bool is_tcp = state_->handle.type == UV_TCP;
  loop_.touch();
  if (reset_ && is_tcp && uv_tcp_close_reset(&state_->tcp, &on_closed) == 0) return;
  uv_close(&state_->handle, &on_closed);
}

void UvStream::start_reading(StreamObserver& observer) {
  state_->observer = &observer;
  state_->reading = true;
  // uv_read_start() returns UV_EALREADY if the handle was never stopped.
  if (uv_read_start(&state_->stream, &on_alloc, &on_read) == 0) loop_.touch();
}

void UvStream::read_waiting() {
  const std::span<char> buffer = loop_.read_buffer();
  const ssize_t size = recv(fd_of(state_->handle), buffer.data(), buffer.size(), MSG_DONTWAIT);
  // libuv meets an error or the end again, and reports it.
  if (size > 0) state_->observer->on_read(buffer.first(static_cast<std::size_t>(size)));
}

void UvStream::stop_reading() { state_->reading = false; }
void UvStream::bound_reads(std::size_t bytes) { state_->most_bytes = bytes; }

std::size_t UvStream::queued_bytes() const {
  return uv_stream_get_write_queue_size(&state_->stream);
}

bool UvStream::has_ended() const {
  pollfd socket{fd_of(state_->handle), POLLRDHUP, 0};
  return poll(&socket, 1, 0) == 1;
}

void UvStream::write(OutputBuffer& buffer, std::string_view tail) {
  send_or_queue(buffer, tail, 0);
}

// shutdown() ends the stream. close() would send a reset instead of the bytes if the peer has sent
// something that wasn't read.
void UvStream::end(OutputBuffer& buffer) {
  send_or_queue(buffer, {}, MSG_MORE);
  if (!buffer.empty() || state_->queued != nullptr) return;
  state_->ended = true;
  shutdown(fd_of(state_->handle), SHUT_WR);
}

void UvStream::send_or_queue(OutputBuffer& buffer, std::string_view tail, int flags) {
  if (state_->queued != nullptr) return buffer.append(tail);
  if (buffer.empty() && tail.empty()) return;
  const ssize_t written = send_now(state_->handle, buffer.view(), tail, flags);
  if (written > 0) {
    const std::size_t of_buffer = std::min(buffer.size(), static_cast<std::size_t>(written));
    buffer.consume(of_buffer);
    tail.remove_prefix(static_cast<std::size_t>(written) - of_buffer);
  }
  if (buffer.empty() && tail.empty()) return;
  // The rest is queued after an error other than EAGAIN as well: the queued write meets that again
  // and reports it from the loop.
  queue(buffer.take().append(tail));
}

bool UvStream::send_file(FileSlice& file) {
  if (state_->queued != nullptr) return true;
  auto offset = static_cast<off_t>(file.offset());
  const ssize_t sent =
      sendfile(fd_of(state_->handle), file.fd(), &offset, std::min(file.size(), kFileBytesPerTurn));
  if (sent > 0) file.advance(static_cast<std::uint64_t>(sent));
  if (file.size() == 0) return true;
  // Queued as any other write, so that libuv tells when the kernel has room again, or that it is
  // the next turn, or what is wrong with the socket.
  std::string block(std::min(file.size(), kQueuedFileBytes), '\0');
  const ssize_t size =
      pread(file.fd(), block.data(), block.size(), static_cast<off_t>(file.offset()));
  if (size <= 0) return false;
  block.resize(static_cast<std::size_t>(size));
  file.advance(block.size());
  queue(std::move(block));
  return true;
}

// Precondition: nothing is queued. on_write follows.
void UvStream::queue(std::string bytes) {
  state_->queued = std::make_unique<State::QueuedWrite>();
  state_->queued->bytes = std::move(bytes);
  const uv_buf_t block = to_block(state_->queued->bytes);
  uv_write(&state_->queued->request, &state_->stream, &block, 1, &on_write);
  loop_.touch();
}

Address UvStream::local() const {
  return local_ != nullptr ? *local_ : local_address(state_->handle);
}

namespace {

void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) noexcept {
  UvStream::State& state = state_of(handle);
  const std::span<char> shared = state.loop->read_buffer();
  const std::size_t size = state.reading ? std::min(shared.size(), state.most_bytes) : 0;
  *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(size));
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) noexcept {
  UvStream::State& state = state_of(stream);
  const bool asked_again = std::exchange(state.asks_again, false);
  StreamObserver* observer = state.observer;
  if (observer == nullptr || size == 0) return;
  if (size > 0) {
    state.asks_again = static_cast<std::size_t>(size) == buffer->len;
    observer->on_read({buffer->base, static_cast<std::size_t>(size)});
    return;
  }
  if (size == UV_ENOBUFS && asked_again) return;  // of on_alloc
  uv_read_stop(stream);
  if (size == UV_ENOBUFS) return;
  if (size != UV_EOF) {
    observer->on_error(to_error_code(static_cast<int>(size)));
  } else if (is_closed_by_peer(state)) {
    observer->on_error(to_error_code(UV_ECONNRESET));
  } else {
    observer->on_end();
  }
}

void on_write(uv_write_t* request, int status) noexcept {
  UvStream::State& state = state_of(request->handle);
  state.queued.reset();
  if (state.observer == nullptr) return;
  if (status < 0) {
    uv_read_stop(&state.stream);
    state.observer->on_error(to_error_code(status));
    return;
  }
  state.observer->on_written();
}

void on_closed(uv_handle_t* handle) noexcept { delete &state_of(handle); }

}  // namespace

}  // namespace cppasgi::net
