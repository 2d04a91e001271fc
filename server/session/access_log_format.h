// What an access log line says, read from text once: Daphne's line, the combined format of Apache
// and nginx, JSON, or a line of one's own with gunicorn's atoms:
//   %(h)s client   %(l)s %(u)s -   %(t)s [local time with zone]   %(r)s request line
//   %(m)s method   %(U)s path      %(q)s query   %(H)s protocol   %(s)s status
//   %(B)s bytes    %(b)s bytes, - for none       %(f)s Referer    %(a)s User-Agent
//   %(T)s seconds  %(L)s seconds with fraction   %(M)s milliseconds   %(D)s microseconds
//   %(p)s process  %({name}i)s request field     %% a percent sign
//   %(X)s X for a response that was cut, - otherwise   %(c)s close code of a WebSocket
// What a client chose is escaped (server/base/log_text.h). What of a request didn't come is "-", in
// JSON null. No I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/address.h"
#include "server/http/request_head.h"

namespace cppasgi::session {

// Whether a response that has begun got to its end. One that is whole may wait for its client yet.
enum class Ending : std::uint8_t { Whole, Cut };

// One line. A WebSocket's has its event for a method (WSCONNECT) and no status.
struct AccessRecord {
  const Address& client;
  std::string_view method;
  std::string_view target;
  int status = 0;
  std::uint64_t content_bytes = 0;
  const http::RequestHead* request = nullptr;  // maybe not whole; null for none
  std::chrono::microseconds duration{0};       // from the head's end
  Ending ending = Ending::Whole;
  std::uint16_t close_code = 0;  // 0: none
};

class AccessLogFormat {
 public:
  // "daphne", "combined", "json" or a format with atoms; anything unknown in it stands as it is:
  // whoever takes the format from an operator has checked it.
  explicit AccessLogFormat(std::string_view format);

  bool is_daphnes() const { return kind_ == Kind::Daphne; }
  // Appends a line with its end.
  void append(std::string& line, const AccessRecord& record, std::time_t now);

 private:
  enum class Kind : std::uint8_t { Daphne, Atoms, Json };
  struct Piece {
    char atom = 0;     // 0: text
    std::string text;  // or the name of a field
  };

  static std::vector<Piece> parse(std::string_view format);
  void append_atom(std::string& line, const Piece& piece, const AccessRecord& record,
                   std::time_t now);
  void append_json(std::string& line, const AccessRecord& record, std::time_t now);
  const std::string& time_text(std::time_t now);

  Kind kind_ = Kind::Daphne;
  bool marks_cut_ = false;  // at the end of the line
  std::vector<Piece> pieces_;
  std::time_t formatted_ = -1;
  std::string time_text_;
};

}  // namespace cppasgi::session
