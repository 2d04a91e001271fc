// cppasgi._native as a shared library that Python imports.
#include "asgi_bridge/module.h"

PYBIND11_MODULE(_native, module) { cppasgi::bridge::define_module(module); }
