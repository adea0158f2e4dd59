#!/usr/bin/env bash
# Installs what `make bench` needs: nginx with Lua, haproxy, wrk and valgrind (Debian, as root or with sudo), mitmproxy
# and py-spy (PyPI, each in an environment of its own), http-proxy-middleware and Express (npm). All but the Debian
# packages go into benchmarks/.peers. Safe to run again; what cannot be had is named, and the benchmark goes on without.
set -uo pipefail
cd "$(dirname "$0")"
peers=.peers
mkdir -p "$peers"

have() { PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }
skip() { echo "install-peers: without $1: $2"; }

missing=()
have nginx || missing+=(nginx)
have haproxy || missing+=(haproxy)
have wrk || missing+=(wrk)
have valgrind || missing+=(valgrind)
if have dpkg-query; then
  for package in libnginx-mod-http-lua lua-cjson; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
fi
if [ "${#missing[@]}" -gt 0 ]; then
  if ! have apt-get; then
    skip "${missing[*]}" "this script knows only apt-get"
  else
    echo "install-peers: installing ${missing[*]}"
    # The benchmark starts its own nginx and haproxy: the packaged services must neither start nor take ports.
    if [ ! -e /usr/sbin/policy-rc.d ] && [ ! -d /run/systemd/system ]; then
      trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
      printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
      as_root chmod 755 /usr/sbin/policy-rc.d
    fi
    for package in "${missing[@]}"; do
      install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$package")
      as_root "${install[@]}" >/dev/null 2>&1 </dev/null ||
        { as_root apt-get update --quiet >/dev/null 2>&1 && as_root "${install[@]}" >/dev/null 2>&1 </dev/null; } ||
        skip "$package" "apt-get could not install it"
    done
  fi
fi

# A package of PyPI in an environment of its own, and the program that it brings.
from_pypi() {
  local package=$1 program=$2
  [ -x "$peers/$package/bin/$program" ] && return
  echo "install-peers: installing $package"
  { "${PYTHON:-python3}" -m venv "$peers/$package" &&
    "$peers/$package/bin/python" -m pip install --quiet --disable-pip-version-check "$package"; } \
    >"$peers/$package.log" 2>&1 || { rm -rf "${peers:?}/$package"; skip "$package" "see benchmarks/.peers/$package.log"; }
}
from_pypi mitmproxy mitmdump
from_pypi py-spy py-spy

if [ ! -d "$peers/node_modules/http-proxy-middleware" ] || [ ! -d "$peers/node_modules/express" ]; then
  packages=(http-proxy-middleware@4 express@5)
  if have npm; then
    echo "install-peers: installing ${packages[*]}"
    npm install --prefix "$peers" --no-audit --no-fund --no-save "${packages[@]}" >"$peers/npm.log" 2>&1 ||
      skip "${packages[*]}" "see benchmarks/.peers/npm.log"
  else
    skip "${packages[*]}" "npm is not there"
  fi
fi
exit 0
