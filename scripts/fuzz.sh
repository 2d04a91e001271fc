#!/usr/bin/env bash
# Builds the fuzz targets (preset "fuzz", clang) and runs each for a while, as many at once as there are cores: scripts/fuzz.sh SECONDS
# [TARGET...]. The corpus grows in build/fuzz-corpus/TARGET, with seeds from tests/data; a finding's input is kept in
# build/fuzz-findings. Ends with the number of executions of each, and a non-zero status after a finding.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
[[ ${1-} =~ ^[1-9][0-9]*$ ]] || { echo "usage: $0 SECONDS [TARGET...]" >&2; exit 2; }
seconds=$1
shift
targets=("$@")
if ((${#targets[@]} == 0)); then
  for source in tests/fuzz/fuzz_*.cpp; do targets+=("$(basename "$source" .cpp)"); done
fi

mkdir -p build/fuzz-findings
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
{ cmake --preset fuzz && cmake --build --preset fuzz -j "$(nproc)" --target "${targets[@]}"; } >build/fuzz.log 2>&1 ||
  { cat build/fuzz.log; exit 1; }

run_target() {  # SECONDS TARGET
  local seconds=$1 target=$2 output corpus=build/fuzz-corpus/$2 seeds=()
  mkdir -p "$corpus"
  if [[ $target == fuzz_http1_* ]]; then
    "${PYTHON:-python3}" tests/fuzz/make_http1_seeds.py "build/fuzz-seeds/$target" "$target" || exit 1
    seeds=("build/fuzz-seeds/$target")
  fi
  if output=$("build/fuzz/tests/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len=4096 -print_final_stats=1 -artifact_prefix="build/fuzz-findings/$target-" "$corpus" "${seeds[@]}" 2>&1); then
    echo "$target: $(grep -oP 'number_of_executed_units: *\K.*' <<<"$output") executions, nothing found"
  else
    tail -n 60 <<<"$output"
    echo "$target: FINDING, input in build/fuzz-findings"
    exit 1
  fi
}
export -f run_target
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I '{}' bash -c "run_target $seconds {}"
