// What fills the extension module, whichever name it has: cppasgi._native (extension.cpp), or a
// top-level one in cppasgi-embed (embed_main.cpp).
#pragma once

#include <pybind11/pybind11.h>

namespace cppasgi::bridge {

// Throws pybind11::error_already_set.
void define_module(pybind11::module_& module);

}  // namespace cppasgi::bridge
