#!/usr/bin/env bash
# Installs what the tests need beyond Python: nginx, HAProxy, PHP with cURL, curl, Node.js, Chromium, Redis, Prometheus,
# Podman, Buildah, the npm packages of tests/peers, and the file systems of the machines that tests boot.
# For Debian and its kin, as root or with sudo. Safe to run again: does, and says, nothing where all is there.
set -euo pipefail
cd "$(dirname "$0")/peers"

node_major=20

have() { PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }
node_is_new_enough() { have node && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge "$node_major" ]; }
# Runs a command silently, and shows all it said only if it fails.
quietly() {
  local said
  if ! said=$("$@" 2>&1 </dev/null); then
    printf 'install-peers: «%s» failed:\n%s\n' "$*" "$said" >&2
    return 1
  fi
}
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

missing=()
have nginx || missing+=(nginx)
have haproxy || missing+=(haproxy)
have php || missing+=(php-cli)
{ have php && php -m 2>/dev/null | grep -qx curl; } || missing+=(php-curl)
have curl || missing+=(curl)
have node || missing+=(nodejs)
have npm || missing+=(npm)
have chromium || missing+=(chromium)
have chromedriver || missing+=(chromium-driver)
# For CI, which makes the tests' environment with Debian's Python.
/usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
# For tests/store: a server of their own in which the state is kept.
have redis-server || missing+=(redis-server)
# For tests/monitoring: promtool, and a server with a store of its own.
{ have prometheus && have promtool; } || missing+=(prometheus)
# For tests/systemd: a Debian of its own in which the service is installed.
have mmdebstrap || missing+=(mmdebstrap)
have systemd-nspawn || missing+=(systemd-container)
# For tests/packaging: what Debian says of the package.
have lintian || missing+=(lintian)
have shellcheck || missing+=(shellcheck)
# For tests/packaging: an image is built and run, without a daemon and without a registry.
have buildah || missing+=(buildah)
have podman || missing+=(podman)
have runc || missing+=(runc)
have iptables || missing+=(iptables)
[ -e /usr/lib/podman/netavark ] || missing+=(netavark)
[ -e /usr/lib/podman/aardvark-dns ] || missing+=(aardvark-dns)

if [ "${#missing[@]}" -gt 0 ]; then
  if ! have apt-get; then
    echo "install-peers: please install ${missing[*]} (this script knows only apt-get)" >&2
    exit 1
  fi
  echo "install-peers: installing ${missing[*]}"
  # The tests start their own nginx, HAProxy, Redis and Prometheus: the packaged services must neither start nor take their ports.
  if { ! have nginx || ! have haproxy || ! have redis-server || ! have prometheus; } && [ ! -e /usr/sbin/policy-rc.d ] && [ ! -d /run/systemd/system ]; then
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
  fi
  install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "${missing[@]}")
  if ! as_root "${install[@]}" >/dev/null 2>&1 </dev/null; then
    quietly as_root apt-get update --quiet
    quietly as_root "${install[@]}"
  fi
fi

if ! node_is_new_enough; then
  echo "install-peers: Node.js $(node --version 2>/dev/null || echo is missing); the peers need $node_major or newer" >&2
  exit 1
fi

# The tests' machines, which only root may boot; their tests are skipped where they cannot be made.
if [ "$(id -u)" -eq 0 ]; then
  (cd ../.. && python3 -m tests.systemd.roots) || true
fi

# npm keeps its own note of what it installed; the stamp says from which lock file.
stamp=node_modules/.installed-from
if ! cmp -s package-lock.json "$stamp"; then
  echo "install-peers: installing the npm packages of tests/peers"
  # No package runs anything of its own: Puppeteer would fetch a browser, and the tests use Debian's.
  quietly npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json "$stamp"
fi
