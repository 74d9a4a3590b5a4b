# Checks the architecture: allowed includes, and allowed content of source files.
#
#   cmake -DROOT=path/to/xgrad -P tests/structure.cmake
#
# Prints every violation as `file:line: what` and fails if there is one. structure_selftest.cmake shows that each rule
# can fail.

cmake_minimum_required(VERSION 3.22)
if(NOT IS_DIRECTORY "${ROOT}/graph")
  message(FATAL_ERROR "structure: there is no library in ROOT: ${ROOT}")
endif()

set(violations 0)

# Reports every line of the files that matches `regex` but not `unless` (if not empty).
function(forbid what regex unless)
  foreach(file ${ARGN})
    file(STRINGS "${ROOT}/${file}" hits REGEX "${regex}" ENCODING UTF-8)
    if(hits STREQUAL "")
      continue()
    endif()
    # Read by line only now, since it is slow. Characters with a meaning in CMake lists would join lines.
    file(READ "${ROOT}/${file}" content)
    string(REGEX REPLACE "[][\\;]" " " content "${content}")
    string(REPLACE "\n" ";" lines "${content};")
    set(number 0)
    foreach(line IN LISTS lines)
      math(EXPR number "${number} + 1")
      if(line MATCHES "${regex}" AND (unless STREQUAL "" OR NOT line MATCHES "${unless}"))
        message("${file}:${number}: ${what}")
        math(EXPR violations "${violations} + 1")
      endif()
    endforeach()
  endforeach()
  set(violations ${violations} PARENT_SCOPE)
endfunction()

# The files in the folders with one of the endings, relative to ROOT.
function(find_files out folders endings)
  set(found)
  foreach(folder ${folders})
    foreach(ending ${endings})
      file(GLOB_RECURSE more RELATIVE "${ROOT}" "${ROOT}/${folder}/*.${ending}")
      list(APPEND found ${more})
    endforeach()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

set(code hpp cpp)
set(library graph ops autodiff nn)
foreach(folder ${library})
  find_files(${folder} ${folder} "${code}")
endforeach()
find_files(umbrella umbrella "${code}")
set(everything_in_library ${graph} ${ops} ${autodiff} ${nn} ${umbrella})
find_files(programs "examples;benchmarks" "${code}")
find_files(tools tools "${code}")

set(include "^[ \t]*#[ \t]*include[ \t]*")

# ---- folders include only those before them: graph <- ops <- autodiff <- nn <- examples, benchmarks

forbid("graph may include nothing but graph" "${include}<xgrad/" "<xgrad/graph/" ${graph})
forbid("ops may include nothing but graph and ops" "${include}<xgrad/" "<xgrad/(graph|ops)/" ${ops})
forbid("autodiff may not include nn" "${include}<xgrad/" "<xgrad/(graph|ops|autodiff)/" ${autodiff})
forbid("nn may not include an umbrella" "${include}<xgrad/" "<xgrad/(graph|ops|autodiff|nn)/" ${nn})
# The internal headers of graph/base and graph/machine serve the whole library.
forbid("nn and programs may not include internal headers of others" "${include}<xgrad/(graph|ops|autodiff)/(.*/)?(internal|kernels)/"
       "<xgrad/graph/(base|machine)/internal/" ${nn} ${tools})
forbid("programs may include public headers only" "${include}<xgrad/(.*/)?(internal|kernels)/" "" ${programs})
forbid("nn may not write derivatives by hand" "\\.vjp" "" ${nn})
# An include relative to the file would bypass the rules above.
forbid("the library includes its files as <xgrad/...>" "${include}\"" "" ${everything_in_library})

# ---- xsimd and xtensor are each included by one file only, and public headers include no other libraries

set(files ${everything_in_library} ${programs})
list(REMOVE_ITEM files ops/kernels/simd.hpp)
forbid("only ops/kernels/simd.hpp may include xsimd" "${include}[<\"]xsimd" "" ${files})
find_files(tests "tests;docs" "${code}")
set(files ${everything_in_library} ${programs} ${tests})
list(REMOVE_ITEM files graph/xtensor.hpp tests/support/xtensor.hpp)
forbid("only graph/xtensor.hpp and tests/support/xtensor.hpp may include xtensor" "${include}[<\"](xtensor|xtl)/" "" ${files})
set(files ${everything_in_library})
list(FILTER files INCLUDE REGEX "\\.hpp$")
list(FILTER files EXCLUDE REGEX "/(internal|kernels)/")
forbid("a public header may not include a library that users need not have"
       "${include}[<\"](fmt|nlohmann|zip|zlib|zconf|png|doctest|CLI|google|boost|xgrad_proto)[/.]" "" ${files})
forbid("a public header may not include an internal one" "${include}<xgrad/(.*/)?(internal|kernels)/" "" ${files})

# ---- files with processor-specific code

set(files ${everything_in_library})
list(FILTER files EXCLUDE REGEX "^(ops/kernels|graph/machine)/")
forbid("only ops/kernels and graph/machine know processors"
       "${include}<([a-z0-9]*mmintrin|immintrin|arm_neon)\\.h>|__builtin_(cpu_|ia32_)|__(x86_64|aarch64|SSE|AVX)[A-Z0-9_]*" "" ${files})

# ---- graph names no particular operation

set(files ${graph} ${autodiff})
set(op_name "op(\\(\\))?(->|\\.)name")
# The registry looks operations up by a given name.
list(REMOVE_ITEM files graph/op_def.cpp)
forbid("the engine may not tell operations apart by name" "${op_name}[ \t]*[!=]=|[!=]=[^&|]*${op_name}" "" ${files})
set(files ${graph} ${autodiff})
forbid("the engine may not tell operations apart by name"
       "[.>](name|op_name)(\\(\\))?[ \t]*[!=]=[ \t]*\"|${op_name}\\.(starts_with|ends_with|find|compare)" "" ${files})
forbid("the engine may not look up an operation by a fixed name" "(registry|ops)(\\(\\))?(->|\\.)find\\(\"" "" ${files})
forbid("the engine may not switch over operations" "switch[ \t]*\\([^)]*([.>]op(\\(\\))?[ \t]*\\)|${op_name})" "" ${files})

# ---- functions that build nodes keep the line and the name of their caller: composite does, and so does a single apply

foreach(file ${ops})
  if(NOT file MATCHES "\\.cpp$")
    continue()
  endif()
  file(READ "${ROOT}/${file}" content)
  string(REGEX REPLACE "[][\\;]" "," content "${content}")
  string(REGEX MATCHALL "\n[A-Z][^\n(]* [a-z_0-9]+\\([^{}]*Operand [^{}]*\\) {[ \n]+[^\n]*" functions "${content}")
  foreach(function IN LISTS functions)
    if(NOT function MATCHES "{[ \n]+return (floating_composite|composite|apply|reductions::reduce|along|truth)\\(")
      string(FIND "${content}" "${function}" at)
      string(SUBSTRING "${content}" 0 ${at} before)
      string(REGEX MATCHALL "\n" lines "${before}.\n.\n")
      list(LENGTH lines number)
      message("${file}:${number}: a function of operands returns composite(...)")
      math(EXPR violations "${violations} + 1")
    endif()
  endforeach()
endforeach()

# ---- every source file

find_files(sources "graph;ops;autodiff;nn;umbrella;tests;tools;examples;benchmarks;cmake" "hpp;cpp;cmake;in;txt;py;sh;proto")
file(GLOB top RELATIVE "${ROOT}" "${ROOT}/CMakeLists.txt" "${ROOT}/CMakePresets.json" "${ROOT}/dev" "${ROOT}/.ci/*")
find_files(texts "docs;graph;ops;autodiff;nn;tests;examples;benchmarks" "md")
forbid("a mark of unfinished work" "(^|[^A-Za-z0-9_])(TO[D]O|FIX[M]E|X[X]X)($|[^A-Za-z0-9_])" "" ${sources} ${top})
forbid("a path of one machine" "(^|[^A-Za-z0-9_.])/(work|home|root)/" "" ${sources} ${top} ${texts})
foreach(file ${sources} ${top})
  file(READ "${ROOT}/${file}" content)
  string(REGEX MATCHALL "\n" ends "${content}")
  list(LENGTH ends count)
  if(count GREATER 600)
    message("${file}:601: ${count} lines: a source file has at most 600")
    math(EXPR violations "${violations} + 1")
  endif()
endforeach()

list(LENGTH sources count)
if(count LESS 1)
  message(FATAL_ERROR "structure: no source files were found in ${ROOT}")
endif()
if(violations GREATER 0)
  message(FATAL_ERROR "structure: ${violations} violations in ${count} files")
endif()
message(STATUS "structure: ${count} files follow the rules")
