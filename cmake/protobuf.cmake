# Protocol buffer messages of event files: compiles the output of protoc for nn/events/events.proto into the library,
# with warnings off. Public headers include neither protobuf nor Boost: users of an installed xgrad link
# libprotobuf-lite, which the package file finds, and need no headers of it.

find_package(Protobuf REQUIRED)
find_package(Boost REQUIRED) # headers only: CRC-32C

set(XGRAD_PROTO_DIR ${PROJECT_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${XGRAD_PROTO_DIR}/xgrad_proto)
set(generated ${XGRAD_PROTO_DIR}/xgrad_proto/events.pb)
# The folder is part of the registered file name, so that another events.proto in the program does not collide.
configure_file(${PROJECT_SOURCE_DIR}/nn/events/events.proto ${XGRAD_PROTO_DIR}/xgrad_proto/events.proto COPYONLY)
add_custom_command(OUTPUT ${generated}.cc ${generated}.h
                   COMMAND protobuf::protoc --proto_path=${XGRAD_PROTO_DIR} --cpp_out=${XGRAD_PROTO_DIR} xgrad_proto/events.proto
                   DEPENDS ${XGRAD_PROTO_DIR}/xgrad_proto/events.proto protobuf::protoc
                   COMMENT "Generating events.pb.h" VERBATIM)

add_library(xgrad_proto OBJECT ${generated}.cc ${generated}.h)
target_compile_features(xgrad_proto PRIVATE cxx_std_20)
target_compile_options(xgrad_proto PRIVATE -w)
set_target_properties(xgrad_proto PROPERTIES POSITION_INDEPENDENT_CODE ON)
get_target_property(protobuf_includes protobuf::libprotobuf-lite INTERFACE_INCLUDE_DIRECTORIES)
get_target_property(boost_includes Boost::headers INTERFACE_INCLUDE_DIRECTORIES)
target_include_directories(xgrad_proto SYSTEM PRIVATE ${XGRAD_PROTO_DIR} ${protobuf_includes})

# Adds the messages to the library. Only the listed sources see the generated header.
function(xgrad_add_messages target)
  add_dependencies(${target} xgrad_proto)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:xgrad_proto>)
  target_include_directories(${target} SYSTEM PRIVATE ${protobuf_includes} ${boost_includes})
  foreach(source event_reader event_writer internal/graph_def)
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/nn/events/${source}.cpp APPEND PROPERTY COMPILE_OPTIONS -isystem ${XGRAD_PROTO_DIR})
  endforeach()
endfunction()
