# `cmake --install` creates a prefix in which find_package(xgrad) works.

include(CMakePackageConfigHelpers)

install(TARGETS xgrad EXPORT xgrad-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
# Headers in folders named internal or kernels are not installed.
file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS graph/*.hpp ops/*.hpp autodiff/*.hpp nn/*.hpp)
list(FILTER headers EXCLUDE REGEX "/(internal|kernels)/")
foreach(header ${headers})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xgrad/${folder})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/umbrella/engine.hpp ${XGRAD_INCLUDE_DIR}/xgrad/xgrad.hpp
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xgrad)

install(EXPORT xgrad-targets NAMESPACE xgrad:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/xgrad-config.cmake.in
                              ${PROJECT_BINARY_DIR}/xgrad-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/xgrad-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/xgrad-config.cmake ${PROJECT_BINARY_DIR}/xgrad-config-version.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLibZip.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)
