// SlotTable: a name outlives its object and then finds nothing, even when the slot has a new owner.
#include "server/base/slot_table.h"

#include <vector>

#include "support/catch.h"

using cppasgi::Handle;
using cppasgi::SlotId;
using cppasgi::SlotTable;

TEST_CASE("SlotTable: a name finds its object until it is erased", "[base]") {
  SlotTable<int> table;
  int first = 1;
  int second = 2;
  const SlotId first_id = table.insert(first);
  const SlotId second_id = table.insert(second);
  CHECK(table.size() == 2);
  CHECK(table.find(first_id) == &first);
  CHECK(table.find(second_id) == &second);
  table.erase(first_id);
  CHECK(table.find(first_id) == nullptr);
  CHECK(table.find(second_id) == &second);
  CHECK(table.size() == 1);
}

TEST_CASE("SlotTable: a late name doesn't find the slot's next owner", "[base]") {
  SlotTable<int> table;
  int first = 1;
  int second = 2;
  const SlotId late = table.insert(first);
  table.erase(late);
  const SlotId id = table.insert(second);
  CHECK(id.slot == late.slot);
  CHECK(table.find(late) == nullptr);
  table.erase(late);  // nor can it erase it
  CHECK(table.find(id) == &second);
}

TEST_CASE("SlotTable: names that were never given find nothing", "[base]") {
  SlotTable<int> table;
  CHECK(table.find({}) == nullptr);
  CHECK(table.find({7, 1}) == nullptr);
  int object = 1;
  table.insert(object);
  CHECK(table.find({}) == nullptr);
}

TEST_CASE("SlotTable: slots are used again", "[base]") {
  SlotTable<int> table;
  std::vector<int> objects(100);
  for (int round = 0; round < 3; ++round) {
    std::vector<SlotId> ids;
    for (int& object : objects) ids.push_back(table.insert(object));
    for (std::size_t index = 0; index < ids.size(); ++index) {
      CHECK(ids[index].slot < objects.size());
      CHECK(table.find(ids[index]) == &objects[index]);
    }
    for (const SlotId id : ids) table.erase(id);
    CHECK(table.size() == 0);
  }
}

TEST_CASE("Handle: an empty or late one gives null", "[base]") {
  CHECK(Handle<int>().get() == nullptr);
  SlotTable<int> table;
  int object = 1;
  const SlotId id = table.insert(object);
  const Handle<int> handle(table, id);
  CHECK(handle.get() == &object);
  table.erase(id);
  CHECK(handle.get() == nullptr);
}

TEST_CASE("SlotTable: cleared, it knows none of its objects, and names others anew", "[base]") {
  SlotTable<int> table;
  int first = 1, second = 2, third = 3;
  const SlotId erased = table.insert(first);
  const SlotId left = table.insert(second);
  table.erase(erased);
  table.clear();
  CHECK(table.size() == 0);
  CHECK(table.find(left) == nullptr);
  const SlotId later = table.insert(third);
  CHECK(later != left);
  CHECK(later != erased);
  CHECK(table.find(later) == &third);
  CHECK(table.find(left) == nullptr);
}
