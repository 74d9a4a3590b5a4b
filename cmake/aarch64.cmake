# Toolchain for 64-bit ARM on Debian: cross-compiles, and runs test programs with qemu. Debian's cross compiler searches
# /usr/include after its own C library, so header-only libraries of the host serve both architectures; so do their CMake
# files.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
file(GLOB packages_of_host /usr/lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/cmake)
list(APPEND CMAKE_PREFIX_PATH ${packages_of_host})
