// Defines the extension module, which is called cppasgi._native (extension.cpp), or cppasgi_native
// in cppasgi-embed (embed_main.cpp).
#pragma once

#include <pybind11/pybind11.h>

namespace cppasgi::bridge {

// Throws pybind11::error_already_set.
void define_module(pybind11::module_& module);

}  // namespace cppasgi::bridge
