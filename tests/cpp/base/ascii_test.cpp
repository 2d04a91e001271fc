// A byte that isn't ASCII is seen wherever it stands.
#include "server/base/ascii.h"

#include <string>

#include "support/catch.h"

using cppasgi::is_ascii;

TEST_CASE("is_ascii: one other byte at any place of any length is seen", "[base]") {
  int wrong = 0;
  for (std::size_t size = 0; size < 200; ++size) {
    std::string text(size, '\x7F');
    if (!is_ascii(text)) ++wrong;
    for (char& letter : text) {
      letter = '\x80';
      if (is_ascii(text)) ++wrong;
      letter = '\0';
    }
    if (!is_ascii(text)) ++wrong;
  }
  CHECK(wrong == 0);
}
