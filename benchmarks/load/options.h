// The command line of websocket_load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

enum class Workload : std::uint8_t {
  Echo,       // every connection keeps `in_flight` messages under way
  Open,       // connections are opened, used for one echo or none, and closed, over and over
  Broadcast,  // one connection sends, every one must receive; the next message once all have
  Idle,       // connections are opened and held until standard input ends
};

struct Options {
  Workload workload;
  std::string host, port, path;
  int connections;
  int in_flight;             // messages under way on each connection
  std::size_t size;          // of a message, in bytes
  std::uint8_t opcode;       // kText or kBinary
  std::string_view deflate;  // what is offered; a server that declines it fails; empty: nothing
  bool echo;                 // Open: one echo before the close
  double rate;              // messages per second over all connections; 0: as fast as echoes return
  double duration_seconds;  // of the load
};

// Throws std::invalid_argument with the option that is wrong.
Options parse_options(int argc, char** argv);

extern const char* const kUsage;
