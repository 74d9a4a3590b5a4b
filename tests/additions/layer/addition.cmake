# A layer with weights: a header and a source file.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/../overlay.cmake)

add_file(nn/layers/highway.hpp ${CMAKE_CURRENT_LIST_DIR}/highway.hpp)
add_file(nn/layers/highway.cpp ${CMAKE_CURRENT_LIST_DIR}/highway.cpp)
expect_touched(2 0)
run(${CMAKE_CURRENT_LIST_DIR}/program.cpp)
