// cppasgi._native.ServerOptions: what Python sets of the options of a server, each under the name
// that server/options.h gives it.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>

namespace cppasgi::bridge {

// Throws pybind11::error_already_set.
void define_options(pybind11::module_& module);

// Of seconds in Python. Rounded up, so that no time-out becomes 0, which is none. Infinity, and
// what is too long for the type, is max(): no end. Throws pybind11::value_error.
std::chrono::milliseconds to_milliseconds(double seconds);

}  // namespace cppasgi::bridge
