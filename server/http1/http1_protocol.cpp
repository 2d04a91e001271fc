// Joins the two directions of an HTTP/1 connection: what the request allows its response, and
// whether another may follow (RFC 9112 9.3). request_parser.cpp parses; response_serializer.cpp
// writes the bytes of responses.
#include "server/http1/http1_protocol.h"

#include "server/http1/request_parser.h"

namespace cppasgi::http1 {

Http1Protocol::Http1Protocol(const HttpLimits& limits)
    : parser_(std::make_unique<RequestParser>(limits, request_, events_)) {}

Http1Protocol::~Http1Protocol() = default;

std::size_t Http1Protocol::receive_data(std::string_view input) {
  events_.clear();
  const std::size_t consumed = parser_->execute(input);
  for (const Event& event : events_) {
    if (std::holds_alternative<RequestReceived>(event))
      expects_continue_ = traits().expects_continue;
    if (std::holds_alternative<ContentReceived>(event)) expects_continue_ = false;
  }
  return consumed;
}

bool Http1Protocol::between_requests() const { return parser_->state() == RequestState::Idle; }

bool Http1Protocol::has_root_path() const { return traits().has_root_path; }

bool Http1Protocol::is_old_handshake() const { return traits().old_handshake; }

void Http1Protocol::next_request() {
  parser_->reset();
  response_.reset();
  expects_continue_ = false;
  status_ = 0;
}

void Http1Protocol::send_continue() {
  if (!expects_continue_ || response_.started()) return;
  expects_continue_ = false;
  output_.append("HTTP/1.1 100 Continue\r\n\r\n");
}

void Http1Protocol::send_early_hints(const std::vector<std::string_view>& links) {
  output_.append("HTTP/1.1 103 Early Hints\r\n");
  for (const std::string_view link : links) {
    output_.append("link: ");
    output_.append(link);
    output_.append("\r\n");
  }
  output_.append("\r\n");
}

void Http1Protocol::send_head(const http::ResponseHead& head, const http::DefaultFields& defaults) {
  status_ = head.status;
  response_.begin(traits(), head, defaults);
}

// If a request is answered before its end, the rest of its content would be read as the next
// request.
void Http1Protocol::close_if_needed(More more) {
  const bool request_complete = parser_->state() == RequestState::Complete;
  if (!traits().keep_alive || (more == More::No && !request_complete)) response_.close();
}

SendStatus Http1Protocol::send_content(std::string_view content, More more) {
  close_if_needed(more);
  const SendStatus result = response_.write(content, more, output_);
  if (response_.started()) expects_continue_ = false;
  return result;
}

SendStatus Http1Protocol::begin_content(std::uint64_t size, More more) {
  close_if_needed(more);
  const SendStatus result = response_.begin_content(size, more, output_);
  if (response_.started()) expects_continue_ = false;
  return result;
}

void Http1Protocol::send_trailers(const std::vector<http::Field>& fields, More more) {
  response_.write_trailers(fields, more, output_);
}

void Http1Protocol::send_error(int status, std::string_view text,
                               const http::DefaultFields& defaults) {
  const http::ResponseHead head{status, {{"content-type", "text/plain; charset=utf-8"}}};
  response_.close();
  send_head(head, defaults);
  send_content(text, More::No);
}

bool Http1Protocol::response_started() const { return response_.started(); }

bool Http1Protocol::response_ended() const { return response_.ended(); }

bool Http1Protocol::response_has_all_content() const { return response_.has_all_content(); }

bool Http1Protocol::sends_events() const {
  return response_.begun() && !response_.ended() && response_.is_event_stream() &&
         request_.method() == "GET";
}

bool Http1Protocol::keep_alive() const {
  return parser_->state() == RequestState::Complete && traits().keep_alive && !response_.closes();
}

void Http1Protocol::close_after_response() { response_.close(); }

const RequestTraits& Http1Protocol::traits() const { return parser_->traits(); }

}  // namespace cppasgi::http1
