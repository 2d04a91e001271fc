# Finds libuv >= 1.44 and makes the target libuv::libuv.
find_package(PkgConfig REQUIRED)
pkg_check_modules(Libuv REQUIRED IMPORTED_TARGET "libuv>=1.44")
if(NOT TARGET libuv::libuv)
  add_library(libuv::libuv ALIAS PkgConfig::Libuv)
endif()
