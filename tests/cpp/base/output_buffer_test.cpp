// OutputBuffer: what goes in comes out, in order, once.
#include "server/base/output_buffer.h"

#include <cstring>

#include "support/catch.h"

using cppasgi::OutputBuffer;

TEST_CASE("OutputBuffer: bytes come out in the order they went in", "[base]") {
  OutputBuffer buffer;
  CHECK(buffer.empty());
  buffer.append("ab");
  buffer.append('c');
  std::memcpy(buffer.extend(2), "de", 2);
  CHECK(buffer.view() == "abcde");
  CHECK(buffer.size() == 5);
}

TEST_CASE("OutputBuffer: consumed bytes are gone, the rest stays", "[base]") {
  OutputBuffer buffer;
  buffer.append("abcde");
  buffer.consume(2);
  CHECK(buffer.view() == "cde");
  buffer.append("f");
  CHECK(buffer.view() == "cdef");
  buffer.consume(4);
  CHECK(buffer.empty());
  buffer.append("g");
  CHECK(buffer.view() == "g");
}

TEST_CASE("OutputBuffer: emptying it gives a large block back and keeps a small one", "[base]") {
  OutputBuffer buffer;
  buffer.append("small");
  const char* block = buffer.view().data();
  buffer.consume(buffer.size());
  buffer.append("other");
  CHECK(buffer.view().data() == block);
  buffer.append(std::string(100'000, 'x'));
  buffer.consume(buffer.size());
  CHECK(buffer.empty());
  buffer.append("y");
  CHECK(buffer.view() == "y");
}

TEST_CASE("OutputBuffer: take moves the unconsumed bytes out", "[base]") {
  OutputBuffer buffer;
  buffer.append("abcde");
  buffer.consume(3);
  CHECK(buffer.take() == "de");
  CHECK(buffer.empty());
  buffer.append("f");
  CHECK(buffer.view() == "f");
}
