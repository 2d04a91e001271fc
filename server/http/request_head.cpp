// A request head keeps one block of bytes and ranges into it. The only rule of HTTP here is that
// names become lower case.
#include "server/http/request_head.h"

#include "server/base/release.h"
#include "server/http/syntax.h"

namespace cppasgi::http {
namespace {

// A block of up to this size is kept between requests; a larger one is freed.
constexpr std::size_t kKeptBytes = 4096;
// The first size of the block: most requests fit into it, so that it needn't grow step by step.
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
