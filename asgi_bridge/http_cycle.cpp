#include "asgi_bridge/http_cycle.h"

#include <utility>

#include "asgi_bridge/asgi_application.h"
#include "asgi_bridge/client_disconnect.h"
#include "asgi_bridge/interned.h"
#include "asgi_bridge/python_values.h"
#include "server/http/trailers.h"

namespace cppasgi::bridge {

namespace {

PyObject* raise_unexpected(MessageType type) {
  PyErr_Format(PyExc_ValueError, "%s is not expected now", name_of(type));
  return nullptr;
}

// TooLong or TooShort.
PyObject* raise_wrong_length(SendStatus status) {
  PyErr_Format(PyExc_ValueError, "Response content is %s than Content-Length",
               status == SendStatus::TooLong ? "longer" : "shorter");
  return nullptr;
}

PyObject* raise_unavailable(PyObject* extension) {
  PyErr_Format(PyExc_ValueError, "%S is not among the extensions of this request", extension);
  return nullptr;
}

}  // namespace

HttpCycle::HttpCycle(AsgiApplication& app, Handle<HttpResponder> exchange)
    : ResponderCycle(app, exchange) {
  response_ends_ = true;  // until a part comes of who knows how many
}

PyObject* HttpCycle::make_scope() {
  HttpResponder* responder = find_responder();
  if (responder == nullptr) return raise_client_disconnected();
  const http::RequestHead& request = responder->request();
  extensions_.early_hint = request.version == http::Version::Http11;  // RFC 9110 15.2
  extensions_.trailers = http::accepts_trailers(request);
  extensions_.files = application().sends_files();
  return application().scopes().http(request, responder->connection(), extensions_);
}

// --- receive ---

PyObject* HttpCycle::receive() {
  return exchange_over() ? last_message(http_disconnect_message()) : next_or_wait();
}

PythonRef HttpCycle::next_message(bool& pending) {
  HttpResponder* responder = find_responder();
  if (responder == nullptr) return PythonRef::steal(http_disconnect_message());
  if (!request_ended_) {
    std::string& content = application().content;
    const ContentStatus status = responder->take_content(content);
    if (status != ContentStatus::Pending || piece_) {
      request_ended_ = status == ContentStatus::End;
      PyObject* body = piece_.release();
      if (!content.empty()) {
        PyObject* rest = to_bytes(content);
        if (body == nullptr) {
          body = rest;
        } else {
          PyBytes_ConcatAndDel(&body, rest);
        }
        if (body == nullptr) return {};
      }
      return PythonRef::steal(
          http_request_message(PythonRef::steal(body), request_ended_ ? More::No : More::Yes));
    }
  }
  pending = true;  // content, or in the end http.disconnect
  return {};
}

void HttpCycle::on_content() { note_received(); }

bool HttpCycle::on_piece(std::string_view content) {
  if (receivers_.empty()) return false;
  const TakenException exception;
  piece_ = PythonRef::steal(to_bytes(content));
  if (!piece_) PyErr_Clear();  // without memory for it now, maybe later
  return static_cast<bool>(piece_);
}

void HttpCycle::on_writable() {
  sending_file_ = false;
  note_writable();
}

void HttpCycle::on_disconnect() {
  state_ = State::Disconnected;
  note_client_left();
}

// --- send ---

PyObject* HttpCycle::send(PyObject* message) {
  MessageType type;
  if (!read_type(message, type)) return nullptr;
  switch (type) {
    case MessageType::HttpResponseStart:
      return send_start(message);
    case MessageType::HttpResponseBody:
      return send_body(message);
    case MessageType::HttpResponseEarlyHint:
      return send_early_hint(message);
    case MessageType::HttpResponsePathsend:
    case MessageType::HttpResponseZerocopysend:
      return send_file(message, type);
    case MessageType::HttpResponseTrailers:
      return send_trailers(message);
    default:
      PyErr_Format(PyExc_ValueError, "Cannot handle message type %s!", name_of(type));
      return nullptr;
  }
}

PyObject* HttpCycle::send_start(PyObject* message) {
  const MessageReading reading(application().spare_fields);
  bool trailers = false;
  if (!read_announces_trailers(message, trailers) ||
      !read_response_start(message, reading->head, reading->alive)) {
    return nullptr;
  }
  if (state_ == State::Started || state_ == State::Trailers) {
    PyErr_SetString(PyExc_ValueError, "HTTP response has already been started");
    return nullptr;
  }
  if (trailers && !extensions_.trailers) return raise_unavailable(interned().response_trailers);
  length_announced_ = http::has_field(reading->head.fields, "content-length");
  if (HttpResponder* responder = find_responder()) {
    reading->head.trailers = trailers_announced_ = trailers;
    responder->send_head(reading->head);
    state_ = State::Started;
  }
  if (state_ == State::Disconnected) return send_too_late();
  return completed_none();  // after the end of the response too: further messages are ignored
}

PyObject* HttpCycle::send_body(PyObject* message) {
  BytesView body;
  More more = More::No;
  if (!read_response_body(message, body, more)) return nullptr;
  if (more == More::Yes && !length_announced_ && !application().finishes_responses())
    response_ends_ = false;
  if (state_ == State::Expected) {
    PyErr_SetString(PyExc_ValueError,
                    "HTTP response has not yet been started but got http.response.body");
    return nullptr;
  }
  if (state_ == State::Complete) return completed_none();
  if (state_ == State::Trailers || sending_file_)
    return raise_unexpected(MessageType::HttpResponseBody);
  HttpResponder* responder = find_responder();
  if (responder == nullptr) return send_too_late();
  const SendStatus status = responder->send_content(body.view(), more);
  if (status == SendStatus::TooShort) state_ = State::Complete;
  if (status != SendStatus::Sent) return raise_wrong_length(status);
  content_begun_ = true;
  if (more == More::No && !trailers_announced_) return sent_all();
  if (more == More::No) state_ = State::Trailers;
  return sent_or_wait();
}

PyObject* HttpCycle::send_file(PyObject* message, MessageType type) {
  const bool is_whole = type == MessageType::HttpResponsePathsend;
  if (!extensions_.files)
    return raise_unavailable(is_whole ? interned().pathsend : interned().zerocopysend);
  const auto is_unexpected = [&] {
    return state_ != State::Started || sending_file_ || (is_whole && content_begun_);
  };
  if (state_ == State::Disconnected) return send_too_late();
  if (is_unexpected()) return raise_unexpected(type);
  FileSlice file;
  More more = More::No;
  if (!(is_whole ? read_pathsend(message, file) : read_zerocopysend(message, file, more)))
    return nullptr;
  if (state_ == State::Disconnected) return send_too_late();
  if (is_unexpected()) return raise_unexpected(type);  // that ran the application's code
  HttpResponder* responder = find_responder();
  if (responder == nullptr) return send_too_late();
  response_ends_ = false;  // one that can't be read to its end looks as a client that left
  const SendStatus status = responder->send_file(std::move(file), more);
  if (status == SendStatus::TooShort) state_ = State::Complete;
  if (status != SendStatus::Sent) return raise_wrong_length(status);
  if (state_ == State::Disconnected) return send_too_late();  // or the file couldn't be read
  content_begun_ = true;
  responder = find_responder();  // gone if all of it has left
  sending_file_ = responder != nullptr && !responder->poll_writable();
  if (more == More::No && !trailers_announced_) {
    if (!sending_file_) return sent_all();
    state_ = State::Complete;
  } else if (more == More::No) {
    state_ = State::Trailers;
  }
  return sending_file_ ? wait_to_send() : sent();
}

PyObject* HttpCycle::send_early_hint(PyObject* message) {
  if (!extensions_.early_hint) return raise_unavailable(interned().early_hint);
  const MessageReading reading(application().spare_fields);
  std::vector<std::string_view> links;
  if (!read_early_hint(message, links, reading->alive)) return nullptr;
  if (state_ == State::Disconnected) return send_too_late();
  if (state_ != State::Expected) return raise_unexpected(MessageType::HttpResponseEarlyHint);
  HttpResponder* responder = find_responder();
  if (responder == nullptr) return send_too_late();
  if (!links.empty()) responder->send_early_hints(links);
  return sent_or_wait();
}

PyObject* HttpCycle::send_trailers(PyObject* message) {
  if (!extensions_.trailers) return raise_unavailable(interned().response_trailers);
  const MessageReading reading(application().spare_fields);
  More more = More::No;
  if (!read_trailers(message, reading->head.fields, reading->alive, more)) return nullptr;
  if (state_ == State::Disconnected) return send_too_late();
  if (state_ != State::Trailers || sending_file_)
    return raise_unexpected(MessageType::HttpResponseTrailers);
  HttpResponder* responder = find_responder();
  if (responder == nullptr) return send_too_late();
  responder->send_trailers(reading->head.fields, more);
  if (more == More::No) return sent_all();
  return sent_or_wait();
}

// The response is complete.
PyObject* HttpCycle::sent_all() {
  state_ = State::Complete;
  if (!receivers_.empty()) queue();  // who still listens hears http.disconnect
  if (only_in_batch) application().only_response_sent();
  return completed_none();
}

// --- the application's end ---

void HttpCycle::application_returned() {
  if (state_ == State::Expected) {
    application().log_error("The application returned without sending a response");
  } else if (state_ == State::Started || state_ == State::Trailers) {
    application().log_error("The application returned without completing its response");
  }
  fail();
}

void HttpCycle::application_failed() { fail(); }

// 500 if nothing was sent, else a cut connection; nothing when the exchange is over.
void HttpCycle::fail() {
  if (state_ == State::Complete || state_ == State::Disconnected) return;
  state_ = State::Complete;
  fail_exchange();
}

}  // namespace cppasgi::bridge
