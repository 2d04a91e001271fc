// The head of one request (RFC 9110 6.2, RFC 9112 2.1): method, target, version and fields. HTTP
// requests and opening handshakes of WebSockets both use it. It is a value that owns its bytes;
// clear() keeps them allocated for the next request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cppasgi::http {

// A field line. In requests the name is lower case. The value has no whitespace around it.
struct Field {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const Field&, const Field&) = default;
};

// A field of Daphne's: the prefix below which a proxy mounts the application, percent-encoded.
constexpr std::string_view kRootPathField = "daphne-root-path";

enum class Version : std::uint8_t {
  Unread,  // of a head that hasn't come so far
  Http10,
  Http11,
};

class RequestHead {
 public:
  Version version = Version::Http11;

  std::string_view method() const { return view(method_); }
  std::string_view target() const { return view(target_); }  // as on the request line
  std::size_t field_count() const { return fields_.size(); }
  Field field(std::size_t index) const {
    return {view(fields_[index].name), view(fields_[index].value)};
  }

  // Returns the value of the first field called `lower_case_name`; its data() is null if there is
  // none.
  std::string_view find(std::string_view lower_case_name) const;
  // Returns how many fields are called `lower_case_name`.
  std::size_t count(std::string_view lower_case_name) const;

  // The parser builds a head with these, in wire order, each part in any number of pieces. Names
  // become lower case.
  void clear();
  void free_memory();  // the same, and keeps none
  void append_method(std::string_view piece);
  void append_target(std::string_view piece) { append(target_, piece); }
  void begin_field() { fields_.push_back({{size(), 0}, {size(), 0}}); }
  void append_field_name(std::string_view piece);
  void append_field_value(std::string_view piece);
  void trim_field_value();  // RFC 9112 5.1: whitespace around a value isn't part of it

 private:
  struct Range {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
  };
  struct FieldRange {
    Range name;
    Range value;
  };

  std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }
  std::string_view view(Range range) const {
    return std::string_view(bytes_).substr(range.offset, range.size);
  }
  void append(Range& range, std::string_view piece);

  std::string bytes_;
  Range method_;
  Range target_;
  std::vector<FieldRange> fields_;
};

}  // namespace cppasgi::http
