// Reads frames through wslay (RFC 6455 5.2 to 5.5): checks headers and unmasks payloads. It is for
// the frames that aren't plain and whole. Its wslay_frame_context is 4 KiB, so a connection has a
// reader only while it needs one. wslay's event layer isn't used: that of wslay 1.1.1 misreads
// UTF-8 in a close frame that comes in pieces, accepts a close payload of one byte, refuses the
// codes 1012 to 1014, and allocates what a header announces.
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

  // Takes a whole header. Returns false if its length isn't in the shortest form or has the top bit
  // set, or if a control frame is fragmented or longer than 125 bytes. The object must not be used
  // any more then.
  bool start(std::string_view header);
  // Takes the next bytes of that frame's payload and appends them, unmasked, to `payload`.
  // Precondition: `masked` doesn't go beyond the frame.
  void read(std::string_view masked, std::string& payload);

 private:
  wslay_frame_context* context_ = nullptr;
  std::string_view input_;  // what wslay's callback may still take
};

}  // namespace cppasgi::websocket
