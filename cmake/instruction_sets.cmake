# Kernels are compiled once per instruction set and chosen at start-up. `xsimd` is renamed per set so that no inline
# function compiled for one set can replace that of another when the program is linked.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(XGRAD_INSTRUCTION_SETS sse2 avx2 avx512)
  set(XGRAD_FLAGS_sse2 -msse2)
  set(XGRAD_FLAGS_avx2 -mavx2 -mfma)
  set(XGRAD_FLAGS_avx512 -mavx2 -mfma -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mprefer-vector-width=512)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC's own header for AVX-512 starts from undefined registers on purpose and is warned about (GCC bug 105593).
    list(APPEND XGRAD_FLAGS_avx512 -Wno-maybe-uninitialized -Wno-uninitialized)
  endif()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(XGRAD_INSTRUCTION_SETS neon64)
  set(XGRAD_FLAGS_neon64)
else()
  message(FATAL_ERROR "xgrad: no instruction set is known for the processor ${CMAKE_SYSTEM_PROCESSOR}")
endif()

# Adds the objects of `sources`, compiled for each set, to the library.
function(xgrad_add_instruction_sets library)
  foreach(set ${XGRAD_INSTRUCTION_SETS})
    set(objects xgrad_${set})
    add_library(${objects} OBJECT ${ARGN})
    xgrad_compile_options(${objects})
    target_compile_definitions(${objects} PRIVATE XGRAD_ISA=${set} xsimd=xsimd_${set})
    target_compile_options(${objects} PRIVATE ${XGRAD_FLAGS_${set}} $<$<CONFIG:Release,RelWithDebInfo>:-O3>)
    # These passes use the kernels of a file and nothing else of it.
    target_compile_options(${objects} PRIVATE -Wno-unused-function $<$<CXX_COMPILER_ID:Clang>:-Wno-unused-const-variable>)
    target_compile_features(${objects} PRIVATE cxx_std_20)
    target_include_directories(${objects} PRIVATE ${XGRAD_INCLUDE_DIR})
    get_target_property(xsimd_includes xsimd INTERFACE_INCLUDE_DIRECTORIES)
    target_include_directories(${objects} SYSTEM PRIVATE ${xsimd_includes})
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
