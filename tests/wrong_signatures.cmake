# Checks that each mistake in programs/wrong_signatures.cpp gives the error in the comment above it, and no others.
#
#   cmake -DCXX=compiler "-DFLAGS=-std=c++20;..." -DPROGRAM=path/to/wrong_signatures.cpp -P tests/wrong_signatures.cmake

cmake_minimum_required(VERSION 3.22)
execute_process(COMMAND ${CXX} ${FLAGS} -fsyntax-only ${PROGRAM} OUTPUT_VARIABLE said ERROR_VARIABLE said
                RESULT_VARIABLE result)
if(result EQUAL 0)
  message(FATAL_ERROR "wrong_signatures: the program compiles")
endif()
string(REPLACE ";" "," said "${said}")
file(STRINGS ${PROGRAM} expected REGEX "// expect: ")
set(missing)
foreach(line IN LISTS expected)
  string(REGEX REPLACE "^.*// expect: " "" text "${line}")
  string(FIND "${said}" "${text}" at)
  if(at EQUAL -1)
    string(APPEND missing "\n  ${text}")
  endif()
endforeach()
string(REGEX MATCHALL "error:" errors "${said}")
list(LENGTH errors found)
list(LENGTH expected wanted)
if(missing OR wanted EQUAL 0 OR NOT found EQUAL wanted)
  message(FATAL_ERROR "wrong_signatures: ${found} errors instead of ${wanted}; missing:${missing}\n${said}")
endif()
