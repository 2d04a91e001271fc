// Where the fields of a message that the application sends are read to.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "asgi_bridge/python_ref.h"
#include "server/http/response_head.h"

namespace cppasgi::bridge {

// Views, and what keeps alive those objects that the message doesn't.
struct MessageFields {
  http::ResponseHead head;
  std::vector<PythonRef> alive;
};

// Reading one message: its fields go into the spare ones, which have room from the message before,
// and are the spare ones again at its end. Reading may run the application's code (an iterator of
// headers), which may send another message meanwhile: that finds none and takes new ones. Loop
// thread, with the GIL.
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
