# Installs the core as a CMake package: find_package(cppasgi) gives cppasgi::server. Component "core"; the wheel takes
# "python" only. Headers keep their paths below include/cppasgi, so that includes read as in this repository.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(cppasgi_core base metrics http http1 proxy_protocol websocket net session server)
foreach(name IN LISTS cppasgi_core)
  set_target_properties(cppasgi_${name} PROPERTIES EXPORT_NAME ${name})
  list(APPEND cppasgi_installed cppasgi_${name})
endforeach()
# llhttp built here comes along; an installed one is looked for again.
set(CPPASGI_BRINGS_LLHTTP OFF)
if(TARGET llhttp_sources)
  set(CPPASGI_BRINGS_LLHTTP ON)
  set_target_properties(llhttp_sources PROPERTIES EXPORT_NAME llhttp OUTPUT_NAME cppasgi_llhttp)
  list(APPEND cppasgi_installed llhttp_sources)
endif()

set(cppasgi_package "${CMAKE_INSTALL_LIBDIR}/cmake/cppasgi")
install(TARGETS ${cppasgi_installed} EXPORT cppasgi
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT core
        INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/cppasgi")
install(FILES server/application.h server/in_progress.h server/metrics.h server/options.h server/server.h
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/cppasgi/server" COMPONENT core)
install(FILES server/net/event_loop.h
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/cppasgi/server/net" COMPONENT core)
install(DIRECTORY server/base server/http
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/cppasgi/server" COMPONENT core FILES_MATCHING PATTERN "*.h")
install(EXPORT cppasgi NAMESPACE cppasgi:: FILE cppasgiTargets.cmake
        DESTINATION "${cppasgi_package}" COMPONENT core)

configure_package_config_file(cmake/cppasgiConfig.cmake.in cppasgiConfig.cmake INSTALL_DESTINATION "${cppasgi_package}")
write_basic_package_version_file(cppasgiConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/cppasgiConfig.cmake" "${PROJECT_BINARY_DIR}/cppasgiConfigVersion.cmake"
              cmake/FindLibuv.cmake cmake/FindLlhttp.cmake cmake/FindWslay.cmake
        DESTINATION "${cppasgi_package}" COMPONENT core)
