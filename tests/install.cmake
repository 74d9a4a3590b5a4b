# Installs a build, checks the installed files, and builds and runs programs with them alone.
#
#   cmake -DBUILD=path/to/build -DSCRATCH=path/to/empty/folder -P tests/install.cmake
#
# The build must be complete. -DCXX and -DCXX_FLAGS give its compiler and flags, such as those of a sanitizer, which the
# programs must share; -DCONFIG its configuration, -DGENERATOR its generator.

cmake_minimum_required(VERSION 3.22)
foreach(needed BUILD SCRATCH)
  if("${${needed}}" STREQUAL "")
    message(FATAL_ERROR "install: ${needed} is not given")
  endif()
endforeach()
if("${CONFIG}" STREQUAL "")
  set(CONFIG Release)
endif()
get_filename_component(source "${CMAKE_CURRENT_LIST_DIR}/.." REALPATH)
set(prefix "${SCRATCH}/install_prefix")
set(consumer "${SCRATCH}/install_consumer")

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "install: ${what} failed (${result}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${prefix}" "${consumer}")
run("cmake --install" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} --config ${CONFIG})

# ---- the headers are complete and contain nothing that only the build of the library has

set(failures 0)
macro(complain what)
  message("install: ${what}")
  math(EXPR failures "${failures} + 1")
endmacro()

file(GLOB_RECURSE headers RELATIVE "${prefix}/include" "${prefix}/include/xgrad/*")
list(LENGTH headers count)
foreach(expected engine graph/tensor graph/graph graph/plan/plan ops/ops ops/define/custom autodiff/gradients
        autodiff/check/doctest)
  if(NOT "xgrad/${expected}.hpp" IN_LIST headers)
    complain("xgrad/${expected}.hpp is not installed")
  endif()
endforeach()
foreach(header IN LISTS headers)
  if(NOT header MATCHES "\\.hpp$" OR header MATCHES "/(internal|kernels)/")
    complain("${header} is installed, and is no public header")
  endif()
  if(IS_SYMLINK "${prefix}/include/${header}")
    complain("${header} is a link and not a file")
  endif()
  file(STRINGS "${prefix}/include/${header}" foreign REGEX "(^|[^A-Za-z0-9_])(fmt|xsimd|google|protobuf|boost)([^A-Za-z0-9_]|$)")
  if(NOT foreign STREQUAL "")
    complain("${header} names a library that users need not have: ${foreign}")
  endif()
  file(STRINGS "${prefix}/include/${header}" includes REGEX "^[ \t]*#[ \t]*include[ \t]*<xgrad/")
  foreach(line IN LISTS includes)
    string(REGEX REPLACE ".*<([^>]*)>.*" "\\1" included "${line}")
    if(NOT EXISTS "${prefix}/include/${included}")
      complain("${header} includes ${included}, which is not installed")
    endif()
  endforeach()
endforeach()

# ---- no installed text file contains the build path

file(GLOB_RECURSE texts "${prefix}/*.hpp" "${prefix}/*.cmake")
foreach(text IN LISTS texts)
  file(READ "${text}" content)
  foreach(path "${BUILD}" "${source}")
    string(FIND "${content}" "${path}" at)
    if(NOT at EQUAL -1)
      complain("${text} names ${path}")
    endif()
  endforeach()
endforeach()
if(failures GREATER 0)
  message(FATAL_ERROR "install: ${failures} of the ${count} installed headers and their package files are wrong")
endif()

# ---- programs

file(STRINGS "${BUILD}/CMakeCache.txt" tools REGEX "^XGRAD_BUILD_TOOLS:BOOL=ON$")
if(NOT tools STREQUAL "")
  run("running xgrad-events" ${prefix}/bin/xgrad-events --help)
endif()
set(umbrella OFF)
set(programs engine)
if(EXISTS "${prefix}/include/xgrad/xgrad.hpp")
  set(umbrella ON)
  list(APPEND programs umbrella)
endif()
set(configure ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/install -B ${consumer} -DCMAKE_PREFIX_PATH=${prefix}
              -DCMAKE_BUILD_TYPE=${CONFIG} -DUMBRELLA=${umbrella} "-DCMAKE_CXX_FLAGS=${CXX_FLAGS} -Wall -Wextra -Werror")
if(NOT "${GENERATOR}" STREQUAL "")
  list(APPEND configure -G ${GENERATOR})
endif()
if(NOT "${CXX}" STREQUAL "")
  list(APPEND configure -DCMAKE_CXX_COMPILER=${CXX})
endif()
find_program(ccache ccache) # headers are compiled one by one, and are mostly those of last time
if(ccache)
  list(APPEND configure -DCMAKE_CXX_COMPILER_LAUNCHER=${ccache})
endif()
run("configuring a program" ${configure})
# find_package must not have found another installed xgrad.
file(STRINGS "${consumer}/CMakeCache.txt" found REGEX "^xgrad_DIR:PATH=")
string(FIND "${found}" "=${prefix}/" at)
if(at EQUAL -1)
  message(FATAL_ERROR "install: find_package found another xgrad: ${found}")
endif()
# Compiles the programs and every header alone.
cmake_host_system_information(RESULT processors QUERY NUMBER_OF_LOGICAL_CORES)
run("building a program" ${CMAKE_COMMAND} --build ${consumer} --config ${CONFIG} --parallel ${processors})
foreach(program IN LISTS programs)
  run("running ${program}" ${consumer}/${program})
  message(STATUS "install: ${program} printed:\n${output}")
endforeach()
file(REMOVE_RECURSE "${prefix}" "${consumer}")
