# Sourced by the commands here and by scripts/pgo-wheel, from the root of the checkout: sets $venv, the peers' virtual
# environment for $PYTHON, and brings it and the load generator up to date.
source scripts/lib/venv.sh

prepare() {
  local python=${PYTHON:-python3} tool requirement stamp
  for tool in wrk taskset cmake c++; do
    command -v "$tool" >/dev/null && continue
    echo "$tool is missing: apt-get install wrk util-linux cmake g++ zlib1g-dev libuv1-dev libssl-dev redis-server" >&2
    exit 1
  done
  mkdir -p build/benchmarks
  venv=$PWD/build/benchmarks/venv-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  make_venv "$venv"
  # One by one: a peer that has no wheel for this Python must not keep the others out.
  stamp=$venv/.installed-peers
  if ! unchanged "$stamp" benchmarks/requirements.txt; then
    while read -r requirement; do
      echo "Installing $requirement" >&2
      "$venv/bin/pip" install --quiet "$requirement" ||
        echo "*** SKIPPED: $requirement can't be installed for $("$venv/bin/python" --version)" >&2
    done < <(sed -e 's/#.*//' -e '/^ *$/d' benchmarks/requirements.txt)
    touch "$stamp"
  fi
  stamp=$venv/benchmarks/.built
  if ! unchanged "$stamp" benchmarks/load benchmarks/floor benchmarks/CMakeLists.txt; then
    echo "Building the load generator and the floors" >&2
    cmake -S benchmarks -B "$venv/benchmarks" -DPython3_EXECUTABLE="$venv/bin/python" >/dev/null
    cmake --build "$venv/benchmarks" -j "$(nproc)" >/dev/null
    touch "$stamp"
  fi
}

# compare_servers PROGRAM ARGUMENT...: runs it where the peers and this checkout are installed
compare_servers() {
  prepare
  install_wheel "$venv" "[metrics]" >&2
  exec "$venv/bin/python" "$@"
}
