# A file format: a header and a source file.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/../overlay.cmake)

add_file(nn/data/pgm.hpp ${CMAKE_CURRENT_LIST_DIR}/pgm.hpp)
add_file(nn/data/pgm.cpp ${CMAKE_CURRENT_LIST_DIR}/pgm.cpp)
expect_touched(2 0)
run(${CMAKE_CURRENT_LIST_DIR}/program.cpp)
