// cppasgi._native.ServerOptions: what Python sets of the options of a server, each under the name
// that server/options.h gives it.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>

namespace cppasgi::bridge {

// Throws pybind11::error_already_set.
void define_options(pybind11::module_& module);

// Converts Python's seconds. The result is rounded up, so that no time-out becomes 0, which would
// mean none. Infinity, and what is too long for the type, becomes max(), which means without end.
// Throws pybind11::value_error for what is no time.
std::chrono::milliseconds to_milliseconds(double seconds);

}  // namespace cppasgi::bridge
