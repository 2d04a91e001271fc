# Sourced by scripts/quickstart and scripts/test, from the root of the checkout: makes the virtual environment and
# installs into it, each only when something changed since the last time.

# make_venv FOLDER
make_venv() {
  [[ -x $1/bin/python ]] || "${PYTHON:-python3}" -m venv "$1"
}

# unchanged STAMP PATH...: nothing among the paths is newer than the stamp
unchanged() {
  local stamp=$1
  shift
  [[ -e $stamp && -z $(find "$@" -newer "$stamp" -not -path '*/__pycache__*' -print -quit) ]]
}

wheel_sources=(pyproject.toml CMakeLists.txt cmake server asgi_bridge python)

# build_wheel VENV: what install_wheel installs, in VENV/wheel; touches nothing else, so VENV may be used meanwhile.
# With WHEEL set, that wheel takes the place of the one of this checkout.
build_wheel() {
  local folder=$1/wheel
  if [[ -n ${WHEEL:-} ]]; then
    rm -rf "$folder" && mkdir "$folder" && cp $WHEEL "$folder/"  # unquoted: it may be a pattern
    return
  fi
  unchanged "$folder/.built" "${wheel_sources[@]}" && return
  echo "Building cppasgi"
  command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_C_COMPILER_LAUNCHER=ccache
  rm -rf "$folder"
  "$1/bin/pip" wheel --quiet --no-deps --wheel-dir "$folder" . && touch "$folder/.built"
}

# install_wheel VENV [EXTRAS]: builds the wheel and installs it, with extras such as "[metrics]"
install_wheel() {
  local stamp=$1/.cppasgi-installed
  [[ -z ${WHEEL:-} ]] && unchanged "$stamp" "${wheel_sources[@]}" && return
  rm -f "$stamp"
  build_wheel "$1" || return
  "$1/bin/pip" install --quiet --force-reinstall --no-deps "$1"/wheel/*.whl || return
  "$1/bin/pip" install --quiet "$(echo "$1"/wheel/*.whl)${2:-}" || return
  [[ -n ${WHEEL:-} ]] || touch "$stamp"
}

# install_requirements VENV FILE...
install_requirements() {
  local venv=$1 file arguments=() stamps=()
  shift
  for file in "$@"; do
    unchanged "$venv/.installed-${file//\//-}" "$file" && continue
    arguments+=(-r "$file")
    stamps+=("$venv/.installed-${file//\//-}")
  done
  ((${#stamps[@]})) || return 0
  echo "Installing what ${arguments[*]} name"
  "$venv/bin/pip" install --quiet "${arguments[@]}" && touch "${stamps[@]}"
}

# install_extras VENV EXTRA: what an extra of pyproject.toml lists, beside the wheel already installed
install_extras() {
  local stamp=$1/.installed-extra-$2
  unchanged "$stamp" pyproject.toml && return
  echo "Installing the extra $2"
  "$1/bin/pip" install --quiet "cppasgi[$2]"
  touch "$stamp"
}
