# The messages of event files: what protoc makes of nn/events/events.proto becomes part of the library. Its warnings are
# not ours, and neither protobuf nor Boost shows in any header of ours: users of an installed xgrad link
# libprotobuf-lite, which the package file finds, and need no header of it.

find_package(Protobuf REQUIRED)
find_package(Boost REQUIRED) # headers alone: CRC-32C

set(XGRAD_PROTO_DIR ${PROJECT_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${XGRAD_PROTO_DIR}/xgrad_proto)
set(generated ${XGRAD_PROTO_DIR}/xgrad_proto/events.pb)
# The folder is in the message file's name for the program, so that no other events.proto is taken for this one.
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

# Adds the messages to the library. The files that name them are the only ones that see their header.
function(xgrad_add_messages target)
  add_dependencies(${target} xgrad_proto)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:xgrad_proto>)
  target_include_directories(${target} SYSTEM PRIVATE ${protobuf_includes} ${boost_includes})
  foreach(source event_reader event_writer internal/graph_def)
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/nn/events/${source}.cpp APPEND PROPERTY COMPILE_OPTIONS -isystem ${XGRAD_PROTO_DIR})
  endforeach()
endfunction()
