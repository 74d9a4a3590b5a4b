#!/usr/bin/env bash
# Writes the API reference and the guide as HTML; a warning of Doxygen is an error. Status 77 where Doxygen is missing.
#
#   build.sh FOLDER
set -euo pipefail
mkdir -p "$1"
rm -rf "$1/include"
site=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v doxygen >/dev/null || { echo "site: doxygen is not installed"; exit 77; }
# Headers are shown as users include them: <xgrad/...>. CMake makes xgrad.hpp, a list of these headers.
mkdir -p "$site/include/xgrad"
for part in graph ops autodiff nn umbrella/engine.hpp; do
  ln -sfn "$PWD/$part" "$site/include/xgrad/${part#umbrella/}"
done
version_part() { awk -v name="XGRAD_VERSION_$1" '$2 == name { print $3 }' graph/base/version.hpp; }
XGRAD_VERSION=$(version_part MAJOR).$(version_part MINOR).$(version_part PATCH) XGRAD_SITE=$site doxygen docs/site/Doxyfile
echo "site: $site/index.html"
