# Shows that arrows.cmake can fail, on small trees with one violation each and on the same trees without it.
#
#   cmake -DSCRATCH=path/to/empty/folder -P tests/arrows_selftest.cmake

cmake_minimum_required(VERSION 3.22)
if("${SCRATCH}" STREQUAL "")
  message(FATAL_ERROR "arrows_selftest: SCRATCH names no folder to work in")
endif()
set(failures 0)
set(tree "${SCRATCH}/arrows_tree")

# Creates a tree from pairs: a file, and its include.
function(check)
  file(REMOVE_RECURSE "${tree}")
  file(WRITE "${tree}/graph/shape.hpp" "#pragma once\n")
  while(ARGN)
    list(POP_FRONT ARGN file included)
    file(APPEND "${tree}/${file}" "#include ${included}\n")
  endwhile()
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${tree} -DPRINT=ON -P ${CMAKE_CURRENT_LIST_DIR}/arrows.cmake
                  RESULT_VARIABLE result OUTPUT_VARIABLE report ERROR_VARIABLE report)
  set(result ${result} PARENT_SCOPE)
  set(report "${report}" PARENT_SCOPE)
endfunction()

macro(complain what)
  message("arrows_selftest: ${what}:\n${report}")
  math(EXPR failures "${failures} + 1")
endmacro()

function(expect_violation what)
  check(${ARGN})
  if(result EQUAL 0 OR NOT report MATCHES "${what}" OR NOT report MATCHES "arrows: 1 violations")
    complain("not reported, or not alone: ${what}")
  endif()
  set(failures ${failures} PARENT_SCOPE)
endfunction()

function(expect_none)
  check(${ARGN})
  if(NOT result EQUAL 0)
    complain("reported without reason")
  endif()
  set(failures ${failures} PARENT_SCOPE)
endfunction()

# Modules. The cycle is reported with an include for each dependency, without modules that only lead to it or from it.
set(cycle graph/plan/a.cpp "<xgrad/graph/run/b.hpp>" graph/run/b.hpp "<xgrad/graph/shape.hpp>")
expect_none(${cycle})
list(APPEND cycle graph/run/c.cpp "<xgrad/graph/plan/d.hpp>" graph/plan/d.hpp "<xgrad/graph/shape.hpp>" nn/e.cpp
     "<xgrad/graph/plan/d.hpp>")
expect_violation("cycle: graph/(plan;graph/run|run;graph/plan)\n" ${cycle})
check(${cycle})
if(NOT report MATCHES "graph/run -> graph/plan: graph/run/c.cpp includes graph/plan/d.hpp\n")
  complain("no include is named for a dependency of a cycle")
endif()
expect_violation("modules that include each other" graph/shape.cpp "<xgrad/graph/plan/a.hpp>" graph/plan/a.hpp "<xgrad/graph/shape.hpp>")
expect_violation("modules that include each other" tests/ops/test_a.cpp "\"support/b.hpp\"" tests/support/b.hpp "\"ops/c.hpp\""
                 tests/ops/c.hpp "<string>" ops/d.hpp "<string>")
# An `internal` folder belongs to its parent.
expect_none(graph/plan/a.cpp "<xgrad/graph/plan/internal/b.hpp>" graph/plan/internal/b.hpp "<xgrad/graph/plan/c.hpp>"
            graph/plan/c.hpp "<string>")
# The umbrella header may include all modules.
expect_violation("modules that include each other" umbrella/xgrad.hpp "<xgrad/nn/a.hpp>" nn/a.hpp "<string>" nn/b.cpp "<xgrad/xgrad.hpp>")

# Files.
expect_violation("files that include each other in a cycle: graph/a.hpp;graph/b.hpp\n" graph/a.hpp "<xgrad/graph/b.hpp>" graph/b.hpp
                 "<xgrad/graph/a.hpp>" graph/c.cpp "<xgrad/graph/a.hpp>" graph/a.hpp "<xgrad/graph/shape.hpp>")
expect_none(graph/a.hpp "<xgrad/graph/b.hpp>" graph/b.hpp "<xgrad/graph/shape.hpp>" graph/c.cpp "<xgrad/graph/a.hpp>")

# Maximum number of files in a folder.
set(many)
foreach(i RANGE 1 30)
  list(APPEND many nn/data/file_${i}.cpp "<string>")
endforeach()
expect_none(${many})
expect_none(${many} nn/data/internal/a.cpp "<string>")
expect_violation("nn/data: 31 files" ${many} nn/data/a.proto "<string>")

# Tests.
expect_none(tests/graph/test_a.cpp "<xgrad/graph/shape.hpp>" tests/whole/test_b.cpp "<string>" tests/main.cpp "<string>")
expect_violation("tests/test_a.cpp: a test must be in tests/MODULE" tests/test_a.cpp "<string>")
expect_violation("tests/ops/test_a.cpp: a test must be in tests/MODULE" tests/ops/test_a.cpp "<string>")

# PRINT lists each module after its dependencies.
check(nn/a.cpp "<xgrad/graph/plan/b.hpp>" graph/plan/b.hpp "<xgrad/graph/shape.hpp>")
if(NOT report MATCHES "graph -> \n.*graph/plan -> graph\n.*nn -> graph/plan\n")
  complain("modules are not printed in the order of their dependencies")
endif()

file(REMOVE_RECURSE "${tree}")
if(failures GREATER 0)
  message(FATAL_ERROR "arrows_selftest: ${failures} failures")
endif()
message(STATUS "arrows_selftest: every rule fails as expected")
