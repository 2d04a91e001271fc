#!/usr/bin/env bash
# Formats all C++ and Python sources; with --check only names those that aren't formatted. Needs the "dev" extra's tools on
# PATH.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
mapfile -t sources < <(git ls-files '*.h' '*.cpp')
case "${1-}" in
  "") clang-format -i "${sources[@]}" && ruff format . ;;
  --check)
    status=0
    clang-format --dry-run -Werror --ferror-limit=1 "${sources[@]}" || status=1
    ruff format --check . || status=1
    exit $status
    ;;
  *)
    echo "usage: $0 [--check]" >&2
    exit 2
    ;;
esac
