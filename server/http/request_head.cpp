// The request head's one block of bytes and the ranges into it. No rules of HTTP but the
// lower-casing of names.
#include "server/http/request_head.h"

#include "server/base/release.h"
#include "server/http/syntax.h"

namespace cppasgi::http {
namespace {

// What a connection keeps between requests; a larger head's block is given back.
constexpr std::size_t kKeptBytes = 4096;
// Room for most requests from the beginning, instead of growing step by step.
constexpr std::size_t kUsualBytes = 512;
constexpr std::size_t kUsualFields = 12;

}  // namespace

std::string_view RequestHead::find(std::string_view lower_case_name) const {
  for (const FieldRange& field : fields_) {
    if (view(field.name) == lower_case_name) return view(field.value);
  }
  return {};
}

std::size_t RequestHead::count(std::string_view lower_case_name) const {
  std::size_t found = 0;
  for (const FieldRange& field : fields_) {
    if (view(field.name) == lower_case_name) ++found;
  }
  return found;
}

void RequestHead::clear() {
  if (bytes_.capacity() > kKeptBytes) release(bytes_);
  bytes_.clear();
  fields_.clear();
  method_ = target_ = {};
  version = Version::Http11;
}

void RequestHead::free_memory() {
  release(bytes_);
  release(fields_);
  clear();
}

void RequestHead::append_method(std::string_view piece) {
  if (bytes_.capacity() < kUsualBytes) {
    bytes_.reserve(kUsualBytes);
    fields_.reserve(kUsualFields);
  }
  append(method_, piece);
}

void RequestHead::append_field_name(std::string_view piece) {
  append(fields_.back().name, piece);
  char* const end = bytes_.data() + bytes_.size();  // not read anew after each byte
  for (char* byte = end - piece.size(); byte != end; ++byte) {
    const auto code = static_cast<unsigned char>(*byte);
    *byte = static_cast<char>(code | ((static_cast<unsigned>(code - 'A') < 26U) << 5));
  }
}

void RequestHead::append_field_value(std::string_view piece) {
  append(fields_.back().value, piece);
}

void RequestHead::trim_field_value() {
  Range& value = fields_.back().value;
  const std::string_view untrimmed = view(value);
  const std::string_view trimmed = trim(untrimmed);
  value.offset += static_cast<std::uint32_t>(trimmed.data() - untrimmed.data());
  value.size = static_cast<std::uint32_t>(trimmed.size());
}

void RequestHead::append(Range& range, std::string_view piece) {
  if (range.size == 0) range.offset = size();
  bytes_.append(piece);
  range.size += static_cast<std::uint32_t>(piece.size());
}

}  // namespace cppasgi::http
