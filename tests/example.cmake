# Runs an example and checks its exit code, its output, and that the documentation shows the images it draws.
#
#   cmake -DPROGRAM=... [-DARGUMENTS=a;b] -DPRINTS=regex;regex [-DFAILS=TRUE] [-DDRAWS=path.svg;... -DSHOWN=docs/images]
#         -P example.cmake
execute_process(COMMAND ${PROGRAM} ${ARGUMENTS} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
if(FAILS AND (status EQUAL 0 OR NOT status MATCHES "^[0-9]+$"))
  message(FATAL_ERROR "it should have failed, but ended with ${status}:\n${out}")
elseif(NOT FAILS AND NOT status EQUAL 0)
  message(FATAL_ERROR "it ended with ${status}:\n${out}")
endif()
foreach(wanted IN LISTS PRINTS)
  if(NOT out MATCHES "${wanted}")
    message(FATAL_ERROR "it did not print ${wanted}:\n${out}")
  endif()
endforeach()
foreach(drawn IN LISTS DRAWS)
  get_filename_component(name ${drawn} NAME)
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/same_picture.sh ${SHOWN}/${name} ${drawn}
                  RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${out}")
  endif()
endforeach()
