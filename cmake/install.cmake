# `cmake --install` gives a prefix in which find_package(xgrad) works.

include(CMakePackageConfigHelpers)

install(TARGETS xgrad EXPORT xgrad-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(folder graph ops autodiff nn)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xgrad
          FILES_MATCHING PATTERN "*.hpp"
          PATTERN "program.hpp" EXCLUDE
          PATTERN "kernels" EXCLUDE
          PATTERN "elementwise" EXCLUDE
          PATTERN "reductions" EXCLUDE
          PATTERN "engine.hpp" EXCLUDE
          PATTERN "xgrad.hpp" EXCLUDE)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/autodiff/engine.hpp ${PROJECT_SOURCE_DIR}/nn/xgrad.hpp
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xgrad)

install(EXPORT xgrad-targets NAMESPACE xgrad:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/xgrad-config.cmake.in
                              ${PROJECT_BINARY_DIR}/xgrad-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/xgrad-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/xgrad-config.cmake ${PROJECT_BINARY_DIR}/xgrad-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)
