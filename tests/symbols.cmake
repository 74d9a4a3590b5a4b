# Checks that code compiled for an instruction set cannot replace other code. The linker may keep an inline function
# from a kernel's object (of a std::vector<float>, say) for the whole program, which then crashes on processors without
# that set. So every visible symbol of an object compiled for a set must contain the name of the set, as xgrad::avx2 and
# xsimd_avx2 do.
#
#   cmake -DSET=avx2 -DOBJECTS="a.o;b.o" [-DNM=nm] [-DCXXFILT=c++filt] -P tests/symbols.cmake
#
# For optimized builds only: without optimization inline functions are emitted under common names.

cmake_minimum_required(VERSION 3.22)
if("${NM}" STREQUAL "")
  set(NM nm)
endif()
if("${CXXFILT}" STREQUAL "")
  set(CXXFILT c++filt)
endif()
if("${SET}" STREQUAL "" OR "${OBJECTS}" STREQUAL "")
  message(FATAL_ERROR "symbols: SET and OBJECTS must be given")
endif()

# A mangled name holds a namespace as its length and itself. The digit before that length may be the end of xgrad::v0.
# `xsimd_avx2` also marks templates of std over its types.
set(own)
foreach(namespace ${SET} xsimd_${SET})
  string(LENGTH ${namespace} length)
  list(APPEND own "([^0-9]|2v0)${length}${namespace}")
endforeach()
string(REPLACE ";" "|" own "${own}")
# References to the exception handler of the C++ runtime, identical in every object.
set(common "^DW\\.ref\\.__gxx_personality_v0$")

set(checked 0)
set(failures 0)
foreach(object IN LISTS OBJECTS)
  # nm -P prints name, type, value, size. Capital letters are global symbols; u is unique in the program.
  execute_process(COMMAND ${NM} -P --defined-only ${object} RESULT_VARIABLE result OUTPUT_VARIABLE symbols
                  ERROR_VARIABLE error)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "symbols: ${NM} cannot read ${object}: ${error}")
  endif()
  string(REPLACE "\n" ";" symbols "${symbols}")
  foreach(symbol IN LISTS symbols)
    if(NOT symbol MATCHES "^([^ ]+) ([A-Zuvwi]) ")
      continue()
    endif()
    set(name "${CMAKE_MATCH_1}")
    set(type "${CMAKE_MATCH_2}")
    math(EXPR checked "${checked} + 1")
    if(name MATCHES "${common}" OR name MATCHES "${own}")
      continue()
    endif()
    execute_process(COMMAND ${CXXFILT} ${name} OUTPUT_VARIABLE readable OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    message("${object}: symbol of type ${type} without ${SET} in its name: ${name} ${readable}")
    math(EXPR failures "${failures} + 1")
  endforeach()
endforeach()

list(LENGTH OBJECTS count)
if(failures GREATER 0)
  message(FATAL_ERROR "symbols: ${failures} of ${checked} symbols in ${count} objects for ${SET} could replace others")
endif()
# A kernel's object defines at least its table; with an unknown nm format no symbol would be checked.
if(checked LESS count)
  message(FATAL_ERROR "symbols: ${checked} visible symbols in ${count} objects: ${NM} has an unknown output format")
endif()
message(STATUS "symbols: all ${checked} symbols of ${count} objects belong to ${SET}")
