// Reads frames through wslay (RFC 6455 5.2 to 5.5): judges headers and unmasks payloads. For every
// frame that isn't plain and whole. Its wslay_frame_context is 4 KiB, so a connection has one
// only while it is needed. wslay's event layer isn't used: wslay 1.1.1 reads UTF-8 in a split close
// frame wrongly, takes a close payload of one byte, refuses codes 1012 to 1014 and allocates what a
// header announces.
#pragma once

#include <string>
#include <string_view>

struct wslay_frame_context;

namespace cppasgi::websocket {

class FrameReader {
 public:
  FrameReader();  // throws std::bad_alloc
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  // Takes a whole header. False: its length isn't in the shortest form or has the top bit set, or
  // it is a control frame that is fragmented or longer than 125 bytes. The object is of no use
  // then.
  bool start(std::string_view header);
  // Takes the next bytes of that frame's payload, never more than it has, and appends them unmasked
  // to `payload`.
  void read(std::string_view masked, std::string& payload);

 private:
  wslay_frame_context* context_ = nullptr;
  std::string_view input_;  // what wslay's callback may still take
};

}  // namespace cppasgi::websocket
