#include "server/session/exchange/request_log.h"

#include <algorithm>
#include <utility>

namespace cppasgi::session {

using std::chrono::steady_clock;

void RequestLog::begin_head() {
  finish_late(Ending::Whole);
  head_began_ = host_.now();
  received_ = {};
}

void RequestLog::begin_request() {
  if (host_.times_requests) received_ = steady_clock::now();
}

void RequestLog::begin_exchange() {
  in_flight_ = true;
  host_.metrics->requests_in_flight.add();
}

void RequestLog::write(const http::RequestHead& request, const Address& client,
                       const Response& response, Ending ending) {
  if (std::exchange(in_flight_, false)) host_.metrics->requests_in_flight.subtract();
  add(request, client, response, time(), ending);
}

void RequestLog::put_off(http::RequestHead request, const Address& client,
                         const Response& response) {
  in_flight_ = false;  // finish_late() counts it out
  late_ = std::make_unique<Late>(Late{std::move(request), client, received_, response.status,
                                      response.content_bytes, std::string(response.route)});
}

void RequestLog::finish_late(Ending ending, std::uint64_t missing_bytes) {
  if (late_ == nullptr) return;
  const std::unique_ptr<Late> late = std::move(late_);
  host_.metrics->requests_in_flight.subtract();
  steady_clock::duration taken{0};
  if (host_.times_requests) taken = steady_clock::now() - late->received;
  const std::uint64_t content_bytes =
      late->content_bytes - std::min(late->content_bytes, missing_bytes);
  add(late->request, late->client, {late->status, content_bytes, late->route}, taken, ending);
}

// The time since the head was whole, or since its first byte if it isn't.
steady_clock::duration RequestLog::time() const {
  if (!host_.times_requests) return {};
  if (received_ == steady_clock::time_point{}) return host_.now() - head_began_;
  return steady_clock::now() - received_;
}

void RequestLog::add(const http::RequestHead& request, const Address& client,
                     const Response& response, steady_clock::duration taken, Ending ending) {
  Metrics& metrics = *host_.metrics;
  const bool cut = ending == Ending::Cut;
  if (host_.times_requests) metrics.request_duration.observe(taken);
  if (!response.route.empty())
    metrics.count_route(response.route, response.status >= 500 || cut, taken);
  if (cut) {
    metrics.count_cut_response();
  } else {
    metrics.count_response(response.status);
  }
  host_.access_log.add({client, request.method(), request.target(), response.status,
                        response.content_bytes, &request,
                        std::chrono::duration_cast<std::chrono::microseconds>(taken), ending});
}

}  // namespace cppasgi::session
