# For the other scripts here, which name themselves in `$0`: how they fail, and which container engine they use.
# shellcheck shell=bash

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# The first of these engines that can work: a docker client without its daemon cannot.
engine() {
  local name
  for name; do
    if [ "$name" = docker ]; then
      docker info >/dev/null 2>&1 || continue
    else
      command -v "$name" >/dev/null 2>&1 || continue
    fi
    echo "$name"
    return
  done
  fail "install one of these: $* (a docker that is installed needs its daemon running)"
}
