// The memory into which the fields of a sent message are read.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "asgi_bridge/python_ref.h"
#include "server/http/response_head.h"

namespace cppasgi::bridge {

// Views, and the objects that keep their bytes alive.
struct MessageFields {
  http::ResponseHead head;
  std::vector<PythonRef> alive;
};

// Lends a message the spare MessageFields, which have memory from the message before, and takes
// them back at its end. Reading may run code of the application (an iterator of headers), which may
// send another message meanwhile: for that one, new fields are made. Loop thread, with the GIL.
class MessageReading {
 public:
  explicit MessageReading(std::unique_ptr<MessageFields>& spare)
      : spare_(spare), fields_(spare ? std::move(spare) : std::make_unique<MessageFields>()) {}
  ~MessageReading() {
    fields_->alive.clear();
    spare_ = std::move(fields_);
  }
  MessageReading(const MessageReading&) = delete;
  MessageReading& operator=(const MessageReading&) = delete;

  MessageFields* operator->() const { return fields_.get(); }

 private:
  std::unique_ptr<MessageFields>& spare_;
  std::unique_ptr<MessageFields> fields_;
};

}  // namespace cppasgi::bridge
