#include "server/session/access_log_format.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include "server/base/log_text.h"

namespace cppasgi::session {

namespace {

constexpr std::string_view kCombined =
    R"(%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s")";
constexpr std::string_view kAtoms = "hlutrmUqHsBbfaTLMDpXc";
// At the end of a line whose format has no place for it.
constexpr std::string_view kCutMark = " cut";

std::string_view field_of(const AccessRecord& record, std::string_view name) {
  return record.request == nullptr ? std::string_view{} : record.request->find(name);
}

std::string_view path_of(const AccessRecord& record) {
  return record.target.substr(0, record.target.find('?'));
}

std::string_view query_of(const AccessRecord& record) {
  const std::size_t mark = record.target.find('?');
  return mark == std::string_view::npos ? std::string_view{} : record.target.substr(mark + 1);
}

std::string_view protocol_of(const AccessRecord& record) {
  if (record.request == nullptr || record.request->version == http::Version::Unread) return {};
  return record.request->version == http::Version::Http10 ? "HTTP/1.0" : "HTTP/1.1";
}

std::string client_of(const AccessRecord& record) {
  return record.client.family == Address::Family::Unix ? std::string{} : record.client.host;
}

std::string seconds_of(const AccessRecord& record) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6f",
                std::chrono::duration<double>(record.duration).count());
  return text.data();
}

void append_or_dash(std::string& line, std::string_view text) {
  if (text.empty()) {
    line += '-';
  } else {
    append_log_text(line, text);
  }
}

}  // namespace

AccessLogFormat::AccessLogFormat(std::string_view format) {
  if (format == "daphne") return;
  kind_ = format == "json" ? Kind::Json : Kind::Atoms;
  marks_cut_ = format == "combined";
  if (kind_ == Kind::Atoms) pieces_ = parse(marks_cut_ ? kCombined : format);
}

std::vector<AccessLogFormat::Piece> AccessLogFormat::parse(std::string_view format) {
  std::vector<Piece> pieces(1);
  std::size_t at = 0;
  while (at < format.size()) {
    if (format[at] != '%') {
      pieces.back().text += format[at++];
      continue;
    }
    if (format.substr(at).starts_with("%%")) {
      pieces.back().text += '%';
      at += 2;
      continue;
    }
    const std::size_t end = format.find(")s", at);
    const bool is_atom = format.substr(at).starts_with("%(") && end != std::string_view::npos;
    const std::string_view name = is_atom ? format.substr(at + 2, end - at - 2) : "";
    const bool is_field = name.size() > 3 && name.starts_with('{') && name.ends_with("}i");
    if (is_field || (name.size() == 1 && kAtoms.find(name[0]) != std::string_view::npos)) {
      Piece atom{is_field ? 'i' : name[0], {}};
      if (is_field) {
        for (const char byte : name.substr(1, name.size() - 3)) {
          atom.text += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
        }
      }
      pieces.push_back(std::move(atom));
      pieces.emplace_back();
      at = end + 2;
    } else {
      pieces.back().text += format[at++];
    }
  }
  return pieces;
}

void AccessLogFormat::append(std::string& line, const AccessRecord& record, std::time_t now) {
  if (kind_ == Kind::Json) {
    append_json(line, record, now);
  } else {
    for (const Piece& piece : pieces_) append_atom(line, piece, record, now);
    if (marks_cut_ && record.ending == Ending::Cut) line += kCutMark;
  }
  line += '\n';
}

void AccessLogFormat::append_atom(std::string& line, const Piece& piece, const AccessRecord& record,
                                  std::time_t now) {
  switch (piece.atom) {
    case 0:
      line += piece.text;
      break;
    case 'h':
      append_or_dash(line, client_of(record));
      break;
    case 'l':
    case 'u':
      line += '-';
      break;
    case 't':
      line += time_text(now);
      break;
    case 'r':
      append_or_dash(line, record.method);
      line += ' ';
      append_or_dash(line, record.target);
      if (!protocol_of(record).empty()) (line += ' ') += protocol_of(record);
      break;
    case 'm':
      append_or_dash(line, record.method);
      break;
    case 'U':
      append_or_dash(line, path_of(record));
      break;
    case 'q':
      append_log_text(line, query_of(record));
      break;
    case 'H':
      append_or_dash(line, protocol_of(record));
      break;
    case 's':
      line += record.status == 0 ? "-" : std::to_string(record.status);
      break;
    case 'B':
      line += std::to_string(record.content_bytes);
      break;
    case 'b':
      line += record.content_bytes == 0 ? "-" : std::to_string(record.content_bytes);
      break;
    case 'f':
      append_or_dash(line, field_of(record, "referer"));
      break;
    case 'a':
      append_or_dash(line, field_of(record, "user-agent"));
      break;
    case 'i':
      append_or_dash(line, field_of(record, piece.text));
      break;
    case 'T':
      line += std::to_string(record.duration.count() / 1'000'000);
      break;
    case 'L':
      line += seconds_of(record);
      break;
    case 'M':
      line += std::to_string(record.duration.count() / 1000);
      break;
    case 'D':
      line += std::to_string(record.duration.count());
      break;
    case 'p':
      line += '<' + std::to_string(getpid()) + '>';
      break;
    case 'X':
      line += record.ending == Ending::Cut ? 'X' : '-';
      break;
    case 'c':
      line += record.close_code == 0 ? "-" : std::to_string(record.close_code);
      break;
    default:
      break;
  }
}

void AccessLogFormat::append_json(std::string& line, const AccessRecord& record, std::time_t now) {
  std::array<char, 32> time{};
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  const auto add = [&line](std::string_view name, std::string_view text) {
    ((line += ", \"") += name) += "\": ";
    if (text.data() == nullptr) {
      line += "null";
    } else {
      append_json_text(line, text);
    }
  };
  const std::string client = client_of(record);
  ((line += "{\"time\": \"") += time.data()) += '"';
  const auto or_null = [](std::string_view text) {
    return text.empty() ? std::string_view{} : text;
  };
  add("client", or_null(client));
  add("method", or_null(record.method));
  add("path", or_null(path_of(record)));
  add("query", query_of(record).data() == nullptr ? "" : query_of(record));
  add("protocol", protocol_of(record));
  const auto number = [](int value) { return value == 0 ? "null" : std::to_string(value); };
  (line += ", \"status\": ") += number(record.status);
  (line += ", \"cut\": ") += record.ending == Ending::Cut ? "true" : "false";
  (line += ", \"code\": ") += number(record.close_code);
  (line += ", \"bytes\": ") += std::to_string(record.content_bytes);
  (line += ", \"duration\": ") += seconds_of(record);
  add("referer", field_of(record, "referer"));
  add("user_agent", field_of(record, "user-agent"));
  add("request_id", field_of(record, "x-request-id"));
  add("traceparent", field_of(record, "traceparent"));
  line += '}';
}

const std::string& AccessLogFormat::time_text(std::time_t now) {
  if (now != formatted_) {
    std::array<char, 64> text{};
    std::tm local{};
    localtime_r(&now, &local);
    time_text_.assign(text.data(),
                      std::strftime(text.data(), text.size(), "[%d/%b/%Y:%H:%M:%S %z]", &local));
    formatted_ = now;
  }
  return time_text_;
}

}  // namespace cppasgi::session
