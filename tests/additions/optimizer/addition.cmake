# An optimizer: a header and a source file.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/../overlay.cmake)

add_file(nn/optimizers/yogi.hpp ${CMAKE_CURRENT_LIST_DIR}/yogi.hpp)
add_file(nn/optimizers/yogi.cpp ${CMAKE_CURRENT_LIST_DIR}/yogi.cpp)
expect_touched(2 0)
run(${CMAKE_CURRENT_LIST_DIR}/program.cpp)
