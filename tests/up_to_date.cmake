# Checks that a document equals the output of a program.
#
#   cmake -DPROGRAM=path -DDOCUMENT=docs/ops.md -DPRINTED=path/to/write.md -P tests/up_to_date.cmake

execute_process(COMMAND ${PROGRAM} OUTPUT_FILE ${PRINTED} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "up_to_date: ${PROGRAM} failed (${result})")
endif()
file(READ ${DOCUMENT} document)
file(READ ${PRINTED} printed)
if(NOT document STREQUAL printed)
  message(FATAL_ERROR "${DOCUMENT} is out of date. Run\n\n  ./dev docs\n\nand commit it. In a merge, take either "
                      "side of it and do the same.")
endif()
