# A kind of fusion: its file, and its entry in the list of all kinds.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/../overlay.cmake)

add_file(graph/plan/internal/kinds/row_scan.cpp ${CMAKE_CURRENT_LIST_DIR}/row_scan.cpp)
insert(graph/plan/internal/fusion_kind.cpp BEFORE "anchor_kind;" "row_scan_kind, ")
insert(graph/plan/internal/fusion_kind.cpp BEFORE "&anchor_kind}" "&row_scan_kind, ")
expect_touched(2 0)
run(${CMAKE_CURRENT_LIST_DIR}/program.cpp)
