# Finds llhttp >= 9.2 and makes the target llhttp::llhttp. Looks for, in this order:
#  1. an installed llhttp (CMake package or pkg-config). Debian 12's node-llhttp 8.1 is too old and is refused: it predates
#     the fixes of CVE-2023-30589 and CVE-2024-27982 (request smuggling);
#  2. CPPASGI_LLHTTP_SOURCE_DIR, a folder with api.c, http.c, llhttp.c and llhttp.h;
#  3. the sdist of the PyPI package "llhttp", fetched with pip into the build folder and checked against its SHA-256.
set(CPPASGI_LLHTTP_SOURCE_DIR "" CACHE PATH "Folder with llhttp's api.c, http.c, llhttp.c and llhttp.h (9.2 or newer)")
set(_llhttp_sdist_version 9.3.0.0)
set(_llhttp_sdist_sha256 0d989363e7fb6f270b9d49956e7a3945c26778f8c70a166815264309ac6a8295)

function(_llhttp_from_sources folder)
  find_path(Llhttp_H llhttp.h PATHS "${folder}" "${folder}/include" NO_DEFAULT_PATH NO_CACHE)
  find_path(Llhttp_C llhttp.c PATHS "${folder}" "${folder}/src" NO_DEFAULT_PATH NO_CACHE)
  if(NOT Llhttp_H OR NOT Llhttp_C)
    message(FATAL_ERROR "No llhttp.h and llhttp.c in ${folder}")
  endif()
  add_library(llhttp_sources STATIC "${Llhttp_C}/api.c" "${Llhttp_C}/http.c" "${Llhttp_C}/llhttp.c")
  target_include_directories(llhttp_sources SYSTEM PUBLIC "$<BUILD_INTERFACE:${Llhttp_H}>")
  set_target_properties(llhttp_sources PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  add_library(llhttp::llhttp ALIAS llhttp_sources)
endfunction()

function(_llhttp_fetch_sdist)
  set(folder "${CMAKE_BINARY_DIR}/llhttp-sdist")
  set(archive "${folder}/llhttp-${_llhttp_sdist_version}.tar.gz")
  if(NOT EXISTS "${archive}")
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    execute_process(
      COMMAND "${Python3_EXECUTABLE}" -m pip download --quiet --no-deps --no-binary :all:
              "llhttp==${_llhttp_sdist_version}" --dest "${folder}"
      RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(failed OR NOT EXISTS "${archive}")
      message(FATAL_ERROR
        "llhttp >= 9.2 is needed. Three ways to provide it: install it (CMake package or pkg-config), set "
        "CPPASGI_LLHTTP_SOURCE_DIR to its sources, or let pip download the PyPI package llhttp "
        "${_llhttp_sdist_version} (this failed now: ${output})")
    endif()
  endif()
  file(SHA256 "${archive}" digest)
  if(NOT digest STREQUAL _llhttp_sdist_sha256)
    message(FATAL_ERROR "${archive} has SHA-256 ${digest}, expected ${_llhttp_sdist_sha256}")
  endif()
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${folder}")
  _llhttp_from_sources("${folder}/llhttp-${_llhttp_sdist_version}/lib")
endfunction()

if(NOT TARGET llhttp::llhttp)
  if(CPPASGI_LLHTTP_SOURCE_DIR)
    _llhttp_from_sources("${CPPASGI_LLHTTP_SOURCE_DIR}")
  else()
    find_package(llhttp 9.2 QUIET CONFIG)
    if(TARGET llhttp::llhttp_static)
      add_library(llhttp::llhttp ALIAS llhttp::llhttp_static)
    elseif(TARGET llhttp::llhttp_shared)
      add_library(llhttp::llhttp ALIAS llhttp::llhttp_shared)
    else()
      find_package(PkgConfig QUIET)
      if(PkgConfig_FOUND)
        pkg_check_modules(LLHTTP_PC QUIET IMPORTED_TARGET GLOBAL "libllhttp>=9.2")
      endif()
      if(TARGET PkgConfig::LLHTTP_PC)
        add_library(llhttp::llhttp ALIAS PkgConfig::LLHTTP_PC)
      else()
        _llhttp_fetch_sdist()
      endif()
    endif()
  endif()
endif()
