// Names objects by a slot number and a generation. Looking up the name of an object that was erased
// finds nothing, so a late call from Python never touches freed memory. Used by the loop thread
// only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cppasgi {

struct SlotId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0 names nothing
  friend bool operator==(const SlotId&, const SlotId&) = default;
};

template <typename T>
class SlotTable {
 public:
  // Names `object`, which must be erased before it dies.
  SlotId insert(T& object) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.push_back({nullptr, 1});
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    slots_[slot].object = &object;
    ++size_;
    return {slot, slots_[slot].generation};
  }

  // Returns the object, or null if it was erased or the name was never given.
  T* find(SlotId id) const {
    if (id.slot >= slots_.size() || slots_[id.slot].generation != id.generation) return nullptr;
    return slots_[id.slot].object;
  }

  // Gives the name to `object` instead. Precondition: find() isn't null.
  void replace(SlotId id, T& object) { slots_[id.slot].object = &object; }

  // Forgets the object; its name is never given again (the generation would have to wrap 2^32 times
  // on one slot).
  void erase(SlotId id) {
    if (find(id) == nullptr) return;
    slots_[id.slot].object = nullptr;
    if (++slots_[id.slot].generation == 0) slots_[id.slot].generation = 1;
    free_.push_back(id.slot);
    --size_;
  }

  // Erases all objects.
  void clear() {
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot].object != nullptr) erase({slot, slots_[slot].generation});
    }
  }

  std::size_t size() const { return size_; }

 private:
  struct Slot {
    T* object;
    std::uint32_t generation;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

// A name together with its table: what the application holds instead of a pointer. The table must
// outlive it.
template <typename T>
class Handle {
 public:
  Handle() = default;
  Handle(const SlotTable<T>& table, SlotId id) : table_(&table), id_(id) {}

  T* get() const { return table_ == nullptr ? nullptr : table_->find(id_); }

 private:
  const SlotTable<T>* table_ = nullptr;
  SlotId id_;
};

}  // namespace cppasgi
