#include "server/session/exchange/http_exchange.h"

#include <utility>

#include "server/base/release.h"

namespace cppasgi::session {

HttpExchange::~HttpExchange() { end(); }

void HttpExchange::begin(const http::RequestHead& request, const ConnectionInfo& connection) {
  request_ = &request;
  connection_ = &connection;
  active_ = true;
  request_ended_ = false;
  response_started_ = false;
  content_.clear();
  handed_over_ = 0;
  handler_ = nullptr;
  id_ = host_.exchanges.insert(*this);
  host_.application.start_http({host_.exchanges, id_});
}

// --- the request's content ---

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

bool HttpExchange::content_is_full() const {
  return active_ && handed_over_ + content_.size() > host_.options.incoming.high_bytes;
}

ContentStatus HttpExchange::take_content(std::string& content) {
  content.clear();
  std::swap(content, content_);
  handed_over_ = 0;
  transport_.content_taken(request_ended_);
  if (request_ended_) return ContentStatus::End;
  return content.empty() ? ContentStatus::Pending : ContentStatus::More;
}

// --- the response ---

void HttpExchange::send_early_hints(const std::vector<std::string_view>& links) {
  transport_.send_early_hints(links);
}

void HttpExchange::send_head(const http::ResponseHead& head) {
  trailers_announced_ = head.trailers;
  transport_.send_head(head);
}

SendStatus HttpExchange::send_content(std::string_view content, More more) {
  const SendStatus status = transport_.send_content(content, more);
  if (status == SendStatus::TooShort) fail();
  if (status != SendStatus::Sent) return status;
  const bool begins = !std::exchange(response_started_, true);
  if (more == More::No && !trailers_announced_) {
    complete();
  } else if (begins && host_.draining() && transport_.client_returns()) {
    end_events();
  }
  return SendStatus::Sent;
}

SendStatus HttpExchange::send_file(FileSlice file, More more) {
  const SendStatus status = transport_.begin_file(file, more);
  if (status == SendStatus::TooShort) fail();
  if (status != SendStatus::Sent) return status;
  response_started_ = true;
  file_ = std::move(file);
  after_file_ = more;
  continue_file();
  return SendStatus::Sent;
}

// True when all of the file has left.
bool HttpExchange::continue_file() {
  if (!transport_.continue_file(file_)) return false;
  file_ = {};
  transport_.end_file(after_file_);
  if (after_file_ == More::No && !trailers_announced_) complete();
  return true;
}

void HttpExchange::send_trailers(const std::vector<http::Field>& fields, More more) {
  transport_.send_trailers(fields, more);
  if (more == More::No) complete();
}

bool HttpExchange::poll_writable() { return !file_.is_open() && transport_.poll_writable(); }

void HttpExchange::resume_sending() {
  HttpHandler* handler = handler_;
  if (!active_ || (file_.is_open() && !continue_file())) return;
  if (handler != nullptr) handler->on_writable();
}

// --- the end ---

void HttpExchange::disconnect() {
  if (!active_) return;
  HttpHandler* handler = handler_;
  end();
  if (handler != nullptr) handler->on_disconnect();
}

void HttpExchange::end_events() {
  HttpHandler* handler = handler_;
  transport_.send_content({}, More::No);
  if (trailers_announced_) transport_.send_trailers({}, More::No);
  complete();
  if (handler != nullptr) handler->on_disconnect();
}

void HttpExchange::fail() {
  end();
  if (response_started_) return transport_.break_off();
  transport_.send_error(500, "Internal Server Error");
  transport_.exchange_ended();
}

// The response has ended.
void HttpExchange::complete() {
  end();
  transport_.exchange_ended();
}

// The application's handle finds nothing from here on.
void HttpExchange::end() {
  if (!active_) return;
  active_ = false;
  host_.exchanges.erase(id_);
  release(content_);
  file_ = {};
}

}  // namespace cppasgi::session
