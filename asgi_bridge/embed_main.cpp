// cppasgi-embed: the command `cppasgi` as a native executable that has CPython inside. It runs the
// same Python package with the same flags, but the extension module is linked in. It uses the
// active virtual environment: VIRTUAL_ENV, or the one that the executable is in.
#include <pybind11/pybind11.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "asgi_bridge/module.h"

// The module has a top-level name because CPython before 3.11 has no built-in submodules.
PYBIND11_MODULE(cppasgi_native, module) { cppasgi::bridge::define_module(module); }

namespace {

namespace fs = std::filesystem;

// Where `cmake --install` puts the Python package, relative to the executable. Used if the
// environment doesn't have it.
constexpr const char* kPackageFolder = "../lib/cppasgi";

// The program. It puts the linked-in module in the place of cppasgi._native before it imports the
// package.
constexpr const wchar_t* kMain =
    L"import importlib, sys\n"
    L"sys.modules['cppasgi._native'] = importlib.import_module('cppasgi_native')\n"
    L"try:\n"
    L"    from cppasgi.command.cli import CommandLineInterface\n"
    L"except ModuleNotFoundError as error:\n"
    L"    sys.exit(f'cppasgi-embed: {error}. Python {sys.version.split()[0]} looked in "
    L"{sys.prefix}; activate the '\n"
    L"             'virtual environment that has cppasgi (VIRTUAL_ENV) or install its dependencies "
    L"there.')\n"
    L"CommandLineInterface.entrypoint()\n";

// Returns the interpreter of the environment to use, or nothing for the one that CPython was built
// for. CPython finds pyvenv.cfg, and so everything else, by this path.
fs::path interpreter_of_environment(const fs::path& executable) {
  std::error_code ignored;
  if (const char* active = std::getenv("VIRTUAL_ENV")) {
    const fs::path python = fs::path(active) / "bin" / "python";
    if (fs::exists(python, ignored)) return python;
  }
  const fs::path beside = executable.parent_path() / "python";
  if (fs::exists(executable.parent_path().parent_path() / "pyvenv.cfg", ignored) &&
      fs::exists(beside, ignored)) {
    return beside;
  }
  return {};
}

[[noreturn]] void fail(const PyStatus& status) {
  std::fprintf(stderr, "cppasgi-embed: %s\n",
               status.err_msg != nullptr ? status.err_msg : "cannot start Python");
  std::exit(1);
}

void check(const PyStatus& status) {
  if (PyStatus_Exception(status)) fail(status);
}

void configure(PyConfig& config, int argc, char** argv) {
  std::error_code ignored;
  const fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path python = interpreter_of_environment(executable);
  config.parse_argv = 0;
  check(PyConfig_SetBytesArgv(&config, argc, argv));
  check(PyConfig_SetString(&config, &config.run_command, kMain));
  if (!python.empty())
    check(PyConfig_SetBytesString(&config, &config.program_name, python.c_str()));
  check(PyConfig_Read(&config));
  const std::wstring package =
      (executable.parent_path() / kPackageFolder).lexically_normal().wstring();
  check(PyWideStringList_Append(&config.module_search_paths, package.c_str()));
}

}  // namespace

int main(int argc, char** argv) {
  if (PyImport_AppendInittab("cppasgi_native", &PyInit_cppasgi_native) != 0) return 1;
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  configure(config, argc, argv);
  const PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  check(status);
  return Py_RunMain();
}
