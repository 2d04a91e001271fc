// Spread: what is due at which time, and that nothing is due twice or never.
#include "server/base/spread.h"

#include "support/catch.h"

using cppasgi::Spread;
using std::chrono::milliseconds;

TEST_CASE("Spread: without a window all are due at once", "[base]") {
  Spread spread;
  CHECK(spread.is_over());
  spread.begin(milliseconds(7), milliseconds(0), 3);
  CHECK_FALSE(spread.is_over());
  CHECK(spread.take_due(milliseconds(7)) == 3);
  CHECK(spread.is_over());
  CHECK(spread.take_due(milliseconds(8)) == 0);
}

TEST_CASE("Spread: the first is due at once, the others evenly, the last within the window",
          "[base]") {
  Spread spread;
  spread.begin(milliseconds(1000), milliseconds(500), 10);
  CHECK(spread.take_due(milliseconds(1000)) == 1);
  CHECK(spread.take_due(milliseconds(1000)) == 0);
  CHECK(spread.take_due(milliseconds(1100)) == 2);
  CHECK(spread.take_due(milliseconds(1250)) == 3);
  CHECK_FALSE(spread.is_over());
  CHECK(spread.take_due(milliseconds(1499)) == 4);
  CHECK(spread.is_over());
  CHECK(spread.take_due(milliseconds(9000)) == 0);
}

TEST_CASE("Spread: who asks late gets all that is due", "[base]") {
  Spread spread;
  spread.begin(milliseconds(0), milliseconds(100), 1000);
  CHECK(spread.take_due(milliseconds(0)) == 1);
  CHECK(spread.take_due(milliseconds(100)) == 999);
  CHECK(spread.is_over());
}

TEST_CASE("Spread: nothing is never due", "[base]") {
  Spread spread;
  spread.begin(milliseconds(0), milliseconds(100), 0);
  CHECK(spread.take_due(milliseconds(0)) == 0);
  CHECK(spread.is_over());
}

TEST_CASE("Spread: a step is a fiftieth of the window, 10 ms at least", "[base]") {
  Spread spread;
  spread.begin(milliseconds(0), milliseconds(10'000), 1);
  CHECK(spread.step() == milliseconds(200));
  spread.begin(milliseconds(0), milliseconds(1), 1);
  CHECK(spread.step() == milliseconds(10));
}
