#include "asgi_bridge/options.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "asgi_bridge/asgi_server.h"
#include "server/options.h"

namespace cppasgi::bridge {

namespace py = pybind11;
using std::chrono::milliseconds;

namespace {

double to_seconds(milliseconds time) {
  if (time == milliseconds::max()) return std::numeric_limits<double>::infinity();
  return std::chrono::duration<double>(time).count();
}

// How Python has the value of an option: as C++ has it, unless a specialisation says otherwise.
template <typename Value>
struct InPython {
  using Type = Value;
  static Type from_cpp(Value value) { return value; }
  static Value to_cpp(Type value) { return value; }
};

template <>
struct InPython<milliseconds> {
  using Type = double;  // seconds
  static Type from_cpp(milliseconds value) { return to_seconds(value); }
  static milliseconds to_cpp(Type value) { return to_milliseconds(value); }
};

template <>
struct InPython<SlowReader> {
  using Type = bool;  // whether it is dropped
  static Type from_cpp(SlowReader value) { return value == SlowReader::Drop; }
  static SlowReader to_cpp(Type value) { return value ? SlowReader::Drop : SlowReader::Wait; }
};

template <>
struct InPython<WebSocketDeflate::Mode> {
  using Type = std::string;
  static constexpr std::array<const char*, 3> kNames = {"off", "shared", "dedicated"};
  static Type from_cpp(WebSocketDeflate::Mode value) {
    return kNames.at(static_cast<std::size_t>(value));
  }
  static WebSocketDeflate::Mode to_cpp(const Type& value) {
    const auto* found = std::find(kNames.begin(), kNames.end(), value);
    if (found == kNames.end()) throw py::value_error("deflate_mode is off, shared or dedicated");
    return static_cast<WebSocketDeflate::Mode>(found - kNames.begin());
  }
};

// Defines a property for what `member` finds in the options.
template <typename Member>
void def_option(py::class_<AsgiServerOptions>& options, const char* name, Member member) {
  using Value = std::remove_reference_t<decltype(member(std::declval<AsgiServerOptions&>()))>;
  using Type = typename InPython<Value>::Type;
  options.def_property(
      name,
      [member](const AsgiServerOptions& self) -> Type {
        return InPython<Value>::from_cpp(member(self));
      },
      [member](AsgiServerOptions& self, Type value) {
        member(self) = InPython<Value>::to_cpp(std::move(value));
      });
}

}  // namespace

milliseconds to_milliseconds(double seconds) {
  using Seconds = std::chrono::duration<double>;
  if (!(seconds >= 0)) throw py::value_error("a time is a number of seconds from 0 on");
  if (Seconds(seconds) >= Seconds(milliseconds::max())) return milliseconds::max();
  return std::chrono::ceil<milliseconds>(Seconds(seconds));
}

void define_options(py::module_& module) {
  py::class_<AsgiServerOptions> options(module, "ServerOptions");
  options.def(py::init<>())
      .def_readwrite("root_path", &AsgiServerOptions::root_path)
      .def_readwrite("access_log_fd", &AsgiServerOptions::access_log_fd)
      .def_readwrite("plain_tasks", &AsgiServerOptions::plain_tasks)
      .def_readwrite("sends_files", &AsgiServerOptions::sends_files)
      .def_readwrite("finishes_responses", &AsgiServerOptions::finishes_responses);
  def_option(options, "after_disconnect_timeout",
             [](auto& all) -> auto& { return all.after_disconnect_timeout; });
  options.def_property(
      "daphne_strict", [](const AsgiServerOptions& self) { return self.server.daphne_strict; },
      [](AsgiServerOptions& self, bool value) {
        self.server.daphne_strict = self.server.http.daphne_strict = value;
      });
  for_each_option([&options](const char* name, auto member) {
    def_option(options, name, [member](auto& all) -> auto& { return member(all.server); });
  });
}

}  // namespace cppasgi::bridge
