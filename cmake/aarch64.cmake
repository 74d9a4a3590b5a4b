# Toolchain for 64-bit ARM on Debian: cross-compiled, and run by qemu wherever a test runs a program of the build.
# Debian's cross compiler looks into /usr/include last, after the headers of its own C library, so libraries of headers
# alone need no copy for the other architecture; their CMake files lie with those of the host.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
file(GLOB packages_of_host /usr/lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/cmake)
list(APPEND CMAKE_PREFIX_PATH ${packages_of_host})
