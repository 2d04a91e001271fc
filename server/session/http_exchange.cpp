#include "server/session/http_exchange.h"

#include <cstddef>
#include <utility>

#include "server/base/release.h"
#include "server/session/session.h"

namespace cppasgi::session {
namespace {

// From here on a write of its own costs less than a copy.
constexpr std::size_t kLongContentBytes = 16 * 1024;

}  // namespace

HttpExchange::~HttpExchange() { end(); }

void HttpExchange::begin() {
  active_ = true;
  request_ended_ = false;
  content_.clear();
  handed_over_ = 0;
  handler_ = nullptr;
  SessionHost& host = session_.host();
  id_ = host.exchanges.insert(*this);
  host.application.start_http({host.exchanges, id_});
}

void HttpExchange::receive(std::string_view content) {
  if (!active_) return;
  if (handler_ != nullptr && content_.empty() && handed_over_ == 0 && handler_->on_piece(content)) {
    handed_over_ = content.size();
  } else {
    content_.append(content);
  }
  if (handler_ != nullptr) handler_->on_content();
}

void HttpExchange::receive_end() {
  request_ended_ = true;
  if (active_ && handler_ != nullptr) handler_->on_content();
}

void HttpExchange::resume_sending() {
  if (active_ && handler_ != nullptr && !sends_file()) handler_->on_writable();
}

void HttpExchange::resume_file() {
  HttpHandler* handler = handler_;
  if (continue_file() && handler != nullptr) handler->on_writable();
}

void HttpExchange::disconnect() {
  if (!active_) return;
  HttpHandler* handler = handler_;
  end();
  if (handler != nullptr) handler->on_disconnect();
}

void HttpExchange::end_events() {
  HttpHandler* handler = handler_;
  http1::Http1Protocol& http = session_.http();
  http.send_content({}, More::No);
  if (!http.response_ended()) http.send_trailers({}, More::No);
  end_if_complete();
  session_.flush_later();
  if (handler != nullptr) handler->on_disconnect();
}

bool HttpExchange::content_is_full() const {
  return active_ && handed_over_ + content_.size() > session_.host().options.incoming.high_bytes;
}

const http::RequestHead& HttpExchange::request() const { return session_.http().request(); }

const ConnectionInfo& HttpExchange::connection() const { return session_.connection(); }

ContentStatus HttpExchange::take_content(std::string& content) {
  content.clear();
  std::swap(content, content_);
  handed_over_ = 0;
  session_.content_taken();
  if (request_ended_) return ContentStatus::End;
  if (session_.http().expects_continue()) {
    session_.http().send_continue();
    session_.flush_later();
    session_.expect_content();
  }
  return content.empty() ? ContentStatus::Pending : ContentStatus::More;
}

void HttpExchange::send_early_hints(const std::vector<std::string_view>& links) {
  session_.http().send_early_hints(links);
  session_.flush_later();
}

void HttpExchange::send_head(const http::ResponseHead& head) {
  session_.http().send_head(head, session_.host().default_fields());
}

SendStatus HttpExchange::send_content(std::string_view content, More more) {
  http1::Http1Protocol& http = session_.http();
  const bool begins = !http.response_started();
  const bool is_long = content.size() >= kLongContentBytes;
  const SendStatus status =
      judge(is_long ? http.begin_content(content.size(), more) : http.send_content(content, more));
  if (status != SendStatus::Sent) return status;
  if (is_long) {
    if (http.response_has_content()) session_.send_after(content);
    http.end_content(more);
  }
  end_if_complete();
  session_.flush_later();
  if (begins && session_.host().draining() && session_.client_returns()) end_events();
  return SendStatus::Sent;
}

// Content that is too short for its Content-Length ends the exchange.
SendStatus HttpExchange::judge(SendStatus result) {
  switch (result) {
    case SendStatus::TooLong:
      return SendStatus::TooLong;
    case SendStatus::TooShort:
      fail();
      return SendStatus::TooShort;
    case SendStatus::Sent:
      break;
  }
  return SendStatus::Sent;
}

SendStatus HttpExchange::send_file(FileSlice file, More more) {
  const SendStatus status = judge(session_.http().begin_content(file.size(), more));
  if (status != SendStatus::Sent) return status;
  if (!session_.http().response_has_content()) file.select(0, 0);
  file_ = std::move(file);
  after_file_ = more;
  continue_file();
  return SendStatus::Sent;
}

// True when all of the file has left.
bool HttpExchange::continue_file() {
  if (!session_.send_file(file_)) return false;
  file_ = {};
  session_.http().end_content(after_file_);
  end_if_complete();
  session_.flush_later();
  return true;
}

void HttpExchange::send_trailers(const std::vector<http::Field>& fields, More more) {
  session_.http().send_trailers(fields, more);
  end_if_complete();
  session_.flush_later();
}

bool HttpExchange::writable() const { return !sends_file() && session_.writable(); }

void HttpExchange::fail() {
  end();
  if (session_.http().response_started()) {
    session_.send_unsent();  // what was sent is the client's; then it sees the cut
    session_.cut(Blame::Server);
    return;
  }
  session_.http().send_error(500, "Internal Server Error", session_.host().default_fields());
  session_.response_complete();
  session_.flush_later();
}

void HttpExchange::end_if_complete() {
  if (!session_.http().response_ended()) return;
  end();
  session_.response_complete();
}

void HttpExchange::end() {
  if (!active_) return;
  active_ = false;
  session_.host().exchanges.erase(id_);
  release(content_);
  file_ = {};
}

}  // namespace cppasgi::session
