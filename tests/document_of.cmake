# Runs a program that prints a document, then the programs of the document. See documents.sh.
#
#   cmake -DPROGRAM=path -DDOCUMENT=path/to/write.md "-DTHEN=documents.sh;write.md;..." -P tests/document_of.cmake

execute_process(COMMAND ${PROGRAM} OUTPUT_FILE ${DOCUMENT} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "document_of: ${PROGRAM} failed (${result})")
endif()
execute_process(COMMAND ${THEN} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "document_of: the programs of ${DOCUMENT} failed (${result})")
endif()
