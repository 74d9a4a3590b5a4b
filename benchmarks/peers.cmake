# Workers of peers. The driver reports peers that were not found. Included by CMakeLists.txt.

function(bench_add_peer name source)
  add_executable(bench_worker_${name} ${source})
  bench_options(bench_worker_${name})
  target_link_libraries(bench_worker_${name} PRIVATE bench_worker ${ARGN})
  set(workers ${workers} bench_worker_${name} PARENT_SCOPE)
endfunction()

if(OpenMP_CXX_FOUND)
  bench_add_peer(hardware peers/hardware.cpp OpenMP::OpenMP_CXX)
  bench_native(bench_worker_hardware)
endif()

# OpenMP variants, as for all peers: BLAS with pthreads would give libtorch two competing thread pools.
find_library(OPENBLAS_LIBRARY openblas PATH_SUFFIXES openblas-openmp NO_CACHE)
find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas-openmp NO_CACHE)
if(OPENBLAS_LIBRARY MATCHES "openmp" AND CBLAS_INCLUDE_DIR)
  bench_add_peer(openblas peers/cblas.cpp ${OPENBLAS_LIBRARY})
  target_include_directories(bench_worker_openblas SYSTEM PRIVATE ${CBLAS_INCLUDE_DIR})
  target_compile_definitions(bench_worker_openblas PRIVATE BENCH_NAME="" BENCH_VERSION_FUNCTION=openblas_get_config)
endif()

find_library(BLIS_LIBRARY blis PATH_SUFFIXES blis-openmp NO_CACHE)
find_path(BLIS_INCLUDE_DIR blis.h PATH_SUFFIXES blis-openmp NO_CACHE)
if(BLIS_LIBRARY MATCHES "openmp" AND BLIS_INCLUDE_DIR)
  bench_add_peer(blis peers/cblas.cpp ${BLIS_LIBRARY})
  target_include_directories(bench_worker_blis SYSTEM PRIVATE ${BLIS_INCLUDE_DIR})
  target_compile_definitions(bench_worker_blis PRIVATE BENCH_NAME="BLIS " BENCH_VERSION_FUNCTION=bli_info_get_version_str)
endif()

find_library(DNNL_LIBRARY dnnl NO_CACHE)
find_path(DNNL_INCLUDE_DIR dnnl.hpp NO_CACHE)
if(DNNL_LIBRARY AND DNNL_INCLUDE_DIR)
  bench_add_peer(onednn peers/onednn.cpp ${DNNL_LIBRARY})
  target_include_directories(bench_worker_onednn SYSTEM PRIVATE ${DNNL_INCLUDE_DIR})
endif()

find_library(XSMM_LIBRARY xsmm NO_CACHE)
find_library(XSMMNOBLAS_LIBRARY xsmmnoblas NO_CACHE)
find_path(XSMM_INCLUDE_DIR libxsmm.h NO_CACHE)
if(XSMM_LIBRARY AND XSMMNOBLAS_LIBRARY AND XSMM_INCLUDE_DIR AND OpenMP_CXX_FOUND)
  bench_add_peer(libxsmm peers/libxsmm.cpp ${XSMM_LIBRARY} ${XSMMNOBLAS_LIBRARY} OpenMP::OpenMP_CXX ${CMAKE_DL_LIBS})
  target_include_directories(bench_worker_libxsmm SYSTEM PRIVATE ${XSMM_INCLUDE_DIR})
endif()

find_path(EIGEN_INCLUDE_DIR Eigen/Core PATH_SUFFIXES eigen3 NO_CACHE)
if(EIGEN_INCLUDE_DIR AND OpenMP_CXX_FOUND)
  bench_add_peer(eigen peers/eigen.cpp OpenMP::OpenMP_CXX)
  target_include_directories(bench_worker_eigen SYSTEM PRIVATE ${EIGEN_INCLUDE_DIR})
  # Without the project's floating-point contraction flags, so that Eigen uses its defaults.
  bench_native(bench_worker_eigen)
  target_compile_options(bench_worker_eigen PRIVATE -ffp-contract=fast)
endif()

find_library(TORCH_LIBRARY torch NO_CACHE)
find_library(TORCH_CPU_LIBRARY torch_cpu NO_CACHE)
find_library(C10_LIBRARY c10 NO_CACHE)
find_path(TORCH_INCLUDE_DIR torch/torch.h PATH_SUFFIXES torch/csrc/api/include NO_CACHE)
if(TORCH_LIBRARY AND TORCH_CPU_LIBRARY AND C10_LIBRARY AND TORCH_INCLUDE_DIR AND OPENBLAS_LIBRARY MATCHES "openmp")
  bench_add_peer(torch peers/torch.cpp ${TORCH_LIBRARY} ${TORCH_CPU_LIBRARY} ${C10_LIBRARY})
  target_sources(bench_worker_torch PRIVATE peers/torch_jobs.cpp peers/torch_networks.cpp peers/torch_table.cpp)
  target_include_directories(bench_worker_torch SYSTEM PRIVATE ${TORCH_INCLUDE_DIR})
  # libtorch loads libblas.so.3: select the one of OpenBLAS with OpenMP. Use RPATH, since RUNPATH does not apply to
  # transitive dependencies.
  get_filename_component(openblas_dir ${OPENBLAS_LIBRARY} DIRECTORY)
  target_link_options(bench_worker_torch PRIVATE -Wl,--disable-new-dtags -Wl,-rpath,${openblas_dir})
endif()

# A script for Node.js, which runs where the package onnxruntime-node is installed globally or in a folder of NODE_PATH.
find_program(NODE_PROGRAM node NO_CACHE)
find_program(NPM_PROGRAM npm NO_CACHE)
if(NODE_PROGRAM AND NPM_PROGRAM)
  execute_process(COMMAND ${NPM_PROGRAM} root --global OUTPUT_VARIABLE modules OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(modules "$ENV{NODE_PATH}:${modules}")
  set(worker ${CMAKE_CURRENT_BINARY_DIR}/bench_worker_onnxruntime)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env NODE_PATH=${modules} ${NODE_PROGRAM} -e "require('onnxruntime-node')"
                  RESULT_VARIABLE missing OUTPUT_QUIET ERROR_QUIET)
  if(missing)
    file(REMOVE ${worker})
  else()
    file(WRITE ${worker} "#!/bin/sh\nNODE_PATH='${modules}' exec '${NODE_PROGRAM}' \
'${CMAKE_CURRENT_SOURCE_DIR}/peers/onnxruntime.mjs' \"$@\"\n")
    file(CHMOD ${worker} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
endif()
