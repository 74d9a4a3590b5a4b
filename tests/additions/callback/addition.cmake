# A callback: a struct in the program, and no file of the library.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/../overlay.cmake)

file(MAKE_DIRECTORY "${SCRATCH}")
expect_touched(0 0)
run(${CMAKE_CURRENT_LIST_DIR}/program.cpp)
