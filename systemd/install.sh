#!/usr/bin/env bash
# Installs statusproxy as a systemd service, upgrades it, takes a version back, removes it. See `usage` below.
#
# Each version has a virtual environment of its own, /opt/statusproxy/<version>-<fingerprint>; the link `current` says
# which one runs. Switching is a matter of the link and of one restart, in both directions, while systemd holds the
# listening socket: no connection is refused. Safe to run again: where nothing changed, nothing is done.
set -euo pipefail
umask 022

readonly PREFIX=/opt/statusproxy
readonly ETC=/etc/statusproxy
readonly UNITS=/etc/systemd/system
readonly COMMAND=/usr/local/bin/statusproxy
readonly SHARE=/usr/local/share
readonly MAN=$SHARE/man/man1/statusproxy.1
readonly STATE=/var/lib/private/statusproxy
readonly OLDEST_SYSTEMD=252

# What a version takes along from this folder.
readonly UNIT_FILES=(statusproxy.service statusproxy.socket statusproxy@.service)
readonly OURS=("${UNIT_FILES[@]}" inquire.py ports.py install.sh)

# A new version has to be ready within START_WITHIN seconds, and to stay so for STEADY_FOR.
readonly START_WITHIN=90
readonly STEADY_FOR=3

# What to say of a failure's traces, until something was changed.
UNCHANGED="nothing was changed"

# Whether this run has made the folder of secrets.
made_secrets=no

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE

usage() {
  cat <<'TEXT'
usage: sudo ./systemd/install.sh [--wheels DIR]      install this version, or upgrade to it
       sudo ./systemd/install.sh --rollback          go back to the version that ran before
       sudo ./systemd/install.sh --uninstall         remove the service; configuration and state stay
       sudo ./systemd/install.sh --uninstall --purge remove these too

  --wheels DIR   install offline, from the wheels in DIR and nothing else. To fill DIR, in a checkout on a machine with
                 the same Python:  python3 -m pip wheel -w DIR -c constraints.txt '.[jwt,redis,alerts]'

An upgrade that does not become ready is undone automatically. PYTHON=/path/to/python3 chooses the interpreter.
To stop the service without removing it: systemctl stop statusproxy.socket statusproxy.service
It stays stopped until the next boot, or until: systemctl start statusproxy
TEXT
}

say() { printf '%s\n' "$*"; }
step() { printf '  %-14s %s\n' "$1" "$2"; }
fail() {
  printf 'install.sh: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

# This installer as a command that can be pasted into any folder, for root, with the arguments given here. A user other
# than root gets it with sudo.
command_line() {
  local words=()
  [ "$(id -u)" -eq 0 ] || words+=(sudo)
  [ -z "${PYTHON:-}" ] || words+=("PYTHON=$PYTHON")
  [ -x "$HERE/install.sh" ] || words+=(bash)
  printf '%q ' "${words[@]}" "$HERE/install.sh" "$@" | sed 's/ $//'
}

# The same, with the arguments that this very run was given.
again() { command_line ${GIVEN[@]+"${GIVEN[@]}"}; }

# ---- what has to be there ----

need_root() {
  [ "$(id -u)" -eq 0 ] || fail "this needs root" "run: $(again)"
}

systemd_version() { systemctl --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p'; }

need_systemd() {
  local version
  version=$(systemd_version)
  if [ ! -d /run/systemd/system ] || [ -z "$version" ]; then
    fail "systemd does not run here" "in a container, run the program itself; docs/docker.md of the checkout says how"
  fi
  [ "$version" -ge "$OLDEST_SYSTEMD" ] \
    || fail "systemd $version is too old; $OLDEST_SYSTEMD or newer is needed (Debian 12, Ubuntu 24.04)"
}

# Two installations would have the same names. Either one takes the configuration and the state of the other.
need_no_package() {
  [ ! -e /var/lib/dpkg/info/statusproxy.prerm ] || fail "statusproxy is installed here as a Debian package; nothing was changed" \
    "to upgrade it, build the package of this checkout (make deb), then: apt install --reinstall ./dist/statusproxy_*.deb" \
    "to remove it: apt remove statusproxy; then this installs from the checkout: $(command_line)"
}

# Prints a Python that can serve: 3.11 or newer, able to make environments, and where the service can read it.
find_python() {
  local candidate path reason="no python3 was found"
  for candidate in ${PYTHON:+"$PYTHON"} /usr/bin/python3 /usr/local/bin/python3 python3.14 python3.13 python3.12 python3.11; do
    path=$(command -v "$candidate" 2>/dev/null) || continue
    if ! "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      reason="$path is $("$path" --version 2>&1 || true); 3.11 or newer is needed"
      continue
    fi
    case $("$path" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))') in
      /root | /root/* | /home/*)
        reason="$path is in a home folder, which the service cannot read"
        continue
        ;;
    esac
    if ! "$path" -c 'import ensurepip, venv' 2>/dev/null; then
      reason="$path has no module venv"
      continue
    fi
    printf '%s\n' "$path"
    return
  done
  fail "$reason" "install it with: apt-get install python3 python3-venv" \
    "or name another with: PYTHON=/path/to/python3 $(PYTHON="" again)"
}

# ---- the versions ----

current() { readlink -e "$PREFIX/current" 2>/dev/null || true; }
previous() { readlink -e "$PREFIX/previous" 2>/dev/null || true; }

# Points a link of $PREFIX to a version's folder, in one step.
point() {
  ln -sfn "$(basename "$2")" "$PREFIX/.$1.new"
  mv -fT "$PREFIX/.$1.new" "$PREFIX/$1"
}

# What decides whether a version is installed already: every file that goes into it.
fingerprint() {
  local wheel=$1 source=$2 python=$3
  {
    "$python" -c 'import sys; print(sys.version, sys.platform)'
    if [ -n "$wheel" ]; then
      sha256sum <"$wheel"
    else
      (cd "$source" && find statusproxy pyproject.toml constraints.txt README.md -type f ! -name '*.pyc' -print0 2>/dev/null \
        | LC_ALL=C sort -z | xargs -0 sha256sum)
    fi
    cd "$HERE" && sha256sum "${OURS[@]}"
  } | sha256sum | cut -c1-12
}

# Installs packages, $4 and on, into the environment in $1: from the wheels in $2 if that is a folder, and in the versions
# that the source in $3 names.
fetch() {
  local folder=$1 wheels=$2 source=$3
  local pip=(-m pip --disable-pip-version-check --no-input install --quiet)
  [ -z "$wheels" ] || pip+=(--no-index --find-links "$wheels")
  [ ! -f "$source/constraints.txt" ] || pip+=(--constraint "$source/constraints.txt")
  shift 3
  "$folder/bin/python" "${pip[@]}" "$@"
}

# Adds to the environment in $1 the packages that the configuration needs, such as those for `state.url: redis://…`,
# `webhooks[].jwt` and `alerts.to[].apprise`; sets added to what was missing. Sets asked to what else is asked of the
# configuration, as inquire.py prints it, and asked_of to $1: one start of Python for all. A configuration that cannot
# be read is left to `check`.
add_packages() {
  local folder=$1 wheels=$2 source=$3 packages log
  added="" asked_of=$folder
  asked=$(inquire "$folder" packages,ports,reachable,listen "$ETC/config.yaml" 2>/dev/null || true)
  mapfile -t packages < <(answer packages)
  [ "${#packages[@]}" -gt 0 ] || return 0
  log=$(mktemp)
  if ! fetch "$folder" "$wheels" "$source" "${packages[@]}" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  added="${packages[*]}"
}

# The lines of $asked that answer the question $1.
answer() { sed -n "s/^$1: //p" <<<"$asked"; }

# Makes the environment in $1; leaves nothing behind where it fails.
build() {
  local folder=$1 python=$2 what=$3 wheels=$4 source=$5 log file
  rm -rf "$folder"
  mkdir -p "$folder"
  log=$(mktemp)
  if ! { "$python" -m venv "$folder" && fetch "$folder" "$wheels" "$source" "$what" && "$folder/bin/statusproxy" --version; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -rf "$folder" "$log"
    rmdir "$PREFIX" 2>/dev/null || true
    fail "the Python environment could not be created; $UNCHANGED" \
      "without the internet, fill a folder with wheels (to see how: $(command_line --help)), then: $(command_line --wheels DIR)"
  fi
  rm -f "$log"
  mkdir -p "$folder/share/systemd"
  (cd "$HERE" && cp "${OURS[@]}" "$folder/share/systemd/")
  for file in README.md config.yaml; do
    [ ! -f "$source/$file" ] || cp "$source/$file" "$folder/share/"
  done
  # Made once: each is a start of the program, and a later switch to this version only copies them.
  for file in bash zsh fish; do
    "$folder/bin/statusproxy" completion "$file" >"$folder/share/completion.$file" 2>/dev/null || rm -f "$folder/share/completion.$file"
  done
  touch "$folder/.complete"
}

# Whether the folder holds a version that was installed to the end and still starts (a new Python can break it).
usable() { [ -f "$1/.complete" ] && "$1/bin/statusproxy" --version >/dev/null 2>&1; }

# Runs a version's own Python on inquire.py, with the secrets that the service will have.
inquire() {
  local folder=$1
  shift
  CREDENTIALS_DIRECTORY=$ETC/secrets "$folder/bin/python" -P "$folder/share/systemd/inquire.py" "$@"
}

# Of the lines "KEY ADDRESS" in $3 those that another program holds, as "KEY ADDRESS PROGRAM". $1 is the Python to use,
# $2 where it finds statusproxy's modules, if they are not its own.
taken() { PYTHONPATH=$2 "$1" -B "$HERE/ports.py" taken <<<"$3" 2>/dev/null || true; }

# Fails for the lines that `taken` gave: names each program, and the key to change.
fail_taken() {
  local key address program advice=()
  while read -r key address program; do
    advice+=("$address (\`$key\` in $ETC/config.yaml) is in use by $program")
  done <<<"$1"
  fail "an address to listen on is not free; $UNCHANGED" "${advice[@]}" \
    "stop that program, or write another address into that key; then: $(again)"
}

# The folders of versions, by their names; $PREFIX may hold other things, such as an environment that was there before.
versions() {
  find "$PREFIX" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended -regex '.*-[0-9a-f]{12}' 2>/dev/null || true
}

prune() {
  local folder
  while read -r folder; do
    case $folder in
      "" | "$(current)" | "$(previous)") ;;
      *) rm -rf "$folder" ;;
    esac
  done <<<"$(versions)"
}

# ---- the units ----

# The proxies that are enabled in place of statusproxy.service, as units: docs/two-proxies.md.
proxies() {
  { find "$UNITS/multi-user.target.wants" -name 'statusproxy@?*.service' -printf '%f\n' 2>/dev/null || true; } | sort | paste -sd' '
}

# Writes standard input to a file, if it is not there already; succeeds where that changed something.
write() {
  mkdir -p "$(dirname "$1")"
  cat >"$1.new"
  if cmp -s "$1.new" "$1"; then
    rm -f "$1.new"
    return 1
  fi
  mv -f "$1.new" "$1"
}

# Puts a version's units in place; sets units_changed and socket_changed.
place_units() {
  local folder=$1 listen=""
  units_changed=no socket_changed=no
  [ "${asked_of:-}" != "$folder" ] || listen=$(answer listen)
  [ -n "$listen" ] || listen=$(inquire "$folder" listen "$ETC/config.yaml") || return 1
  if write "$UNITS/statusproxy.service" <"$folder/share/systemd/statusproxy.service"; then units_changed=yes; fi
  if write "$UNITS/statusproxy.socket" <"$folder/share/systemd/statusproxy.socket"; then socket_changed=yes; fi
  if write "$UNITS/statusproxy.socket.d/10-listen.conf" <<<"$listen"; then socket_changed=yes; fi
  # Older versions have none; the one in place serves them.
  if [ -f "$folder/share/systemd/statusproxy@.service" ]; then
    if write "$UNITS/statusproxy@.service" <"$folder/share/systemd/statusproxy@.service"; then units_changed=yes; fi
  fi
  if [ "$(systemd_version)" -ge 254 ]; then
    # A growing delay between restarts, up to a minute: never given up, never a busy loop.
    local unit
    for unit in statusproxy statusproxy@; do
      if write "$UNITS/$unit.service.d/10-restart.conf" <<<$'[Service]\nRestartSteps=8\nRestartMaxDelaySec=60s'; then
        units_changed=yes
      fi
    done
  fi
  if write "$COMMAND" <<TEXT; then units_changed=yes; fi
#!/bin/sh
# Placed by statusproxy's install.sh: the command, with the service's configuration and, for root, its secrets.
: "\${STATUSPROXY_CONFIG:=$ETC/config.yaml}"
export STATUSPROXY_CONFIG
if [ -z "\${CREDENTIALS_DIRECTORY:-}" ] && [ -r $ETC/secrets ]; then export CREDENTIALS_DIRECTORY=$ETC/secrets; fi
exec $PREFIX/current/bin/statusproxy "\$@"
TEXT
  chmod 755 "$COMMAND"
  place_help "$folder"
}

# Where a shell looks for the completion of the command.
completion_of() {
  case $1 in
    bash) printf '%s\n' "$SHARE/bash-completion/completions/statusproxy" ;;
    zsh) printf '%s\n' "$SHARE/zsh/site-functions/_statusproxy" ;;
    fish) printf '%s\n' "$SHARE/fish/vendor_completions.d/statusproxy.fish" ;;
  esac
}

# Puts a version's completion scripts and its man page in place. The service does not need them: no failure stops an
# installation. Older versions have none there; those in place serve them.
place_help() {
  local folder=$1 shell
  for shell in bash zsh fish; do
    if [ -f "$folder/share/completion.$shell" ]; then
      write "$(completion_of "$shell")" <"$folder/share/completion.$shell" || true
    fi
  done
  if [ -f "$folder/share/man/man1/statusproxy.1" ]; then
    write "$MAN" <"$folder/share/man/man1/statusproxy.1" || true
  fi
}

remove_help() {
  rm -f "$(completion_of bash)" "$(completion_of zsh)" "$(completion_of fish)" "$MAN"
  # Empty ones only. /usr/local/share/man itself is the system's.
  rmdir "$SHARE/bash-completion/completions" "$SHARE/bash-completion" "$SHARE/zsh/site-functions" "$SHARE/zsh" \
    "$SHARE/fish/vendor_completions.d" "$SHARE/fish" "$SHARE/man/man1" 2>/dev/null || true
}

# The files that an installation puts outside $PREFIX.
placed() {
  local unit shell
  for unit in "${UNIT_FILES[@]}"; do printf '%s\n' "$UNITS/$unit"; done
  for unit in statusproxy.service.d/10-restart.conf statusproxy@.service.d/10-restart.conf statusproxy.socket.d/10-listen.conf; do
    printf '%s\n' "$UNITS/$unit"
  done
  for shell in bash zsh fish; do completion_of "$shell"; done
  printf '%s\n' "$COMMAND" "$MAN"
}

# Before a first installation: keeps in a folder, $own, the files that it may replace, such as a unit of your own, and
# which units systemd has enabled and started.
keep_own() {
  local file unit
  own=$(mktemp -d)
  touch "$own/enabled" "$own/active"
  while read -r file; do
    if [ -e "$file" ]; then
      mkdir -p "$own$(dirname "$file")"
      cp -a "$file" "$own$file"
    fi
  done <<<"$(placed)"
  for unit in statusproxy.service statusproxy.socket $(proxies); do
    if systemctl is-enabled --quiet "$unit" 2>/dev/null; then printf '%s\n' "$unit" >>"$own/enabled"; fi
    if is_active "$unit"; then printf '%s\n' "$unit" >>"$own/active"; fi
  done
}

# Puts back what `keep_own` has kept, after `remove`.
put_back_own() {
  local file unit
  while read -r file; do
    if [ -e "$own$file" ]; then
      mkdir -p "$(dirname "$file")"
      cp -a "$own$file" "$file"
    fi
  done <<<"$(placed)"
  systemctl daemon-reload
  while read -r unit; do systemctl --quiet enable "$unit" 2>/dev/null || true; done <"$own/enabled"
  while read -r unit; do systemctl start "$unit" 2>/dev/null || true; done <"$own/active"
  rm -rf "$own"
}

is_active() { systemctl is-active --quiet "$1"; }
all_active() {
  local unit
  for unit; do is_active "$unit" || return 1; done
}
restarts() { systemctl show --property=NRestarts --value "$1"; }

# Makes the version in $1 the one that runs. Fails, having said why, where it does not become and stay ready.
activate() {
  local folder=$1 since began
  place_units "$folder" || return 1
  point current "$folder"
  systemctl daemon-reload
  if [ -n "$(proxies)" ]; then
    restart_in_turn
    return
  fi
  systemctl reset-failed statusproxy.service statusproxy.socket 2>/dev/null || true
  systemctl --quiet enable statusproxy.service statusproxy.socket 2>/dev/null || return 1
  since=$(date '+%Y-%m-%d %H:%M:%S')
  if [ "$socket_changed" = yes ] && is_active statusproxy.socket; then
    systemctl stop statusproxy.socket statusproxy.service
  fi
  if ! systemctl start statusproxy.socket 2>/dev/null; then
    say "the address in \`listen\` cannot be opened; to see which program uses it: ss -ltnp" >&2
    report_failure statusproxy.socket "$since"
    return 1
  fi
  if ! timeout "$START_WITHIN" systemctl restart statusproxy.service 2>/dev/null || ! is_active statusproxy.service; then
    report_failure statusproxy.service "$since"
    return 1
  fi
  began=$(restarts statusproxy.service)
  sleep "$STEADY_FOR"
  if ! is_active statusproxy.service || [ "$(restarts statusproxy.service)" != "$began" ]; then
    report_failure statusproxy.service "$since"
    return 1
  fi
}

# Restarts the proxies, each after the one before is ready: nginx passes on to another one meanwhile.
restart_in_turn() {
  local unit since began
  for unit in $(proxies); do
    since=$(date '+%Y-%m-%d %H:%M:%S')
    systemctl reset-failed "$unit" 2>/dev/null || true
    if timeout "$START_WITHIN" systemctl restart "$unit" 2>/dev/null && is_active "$unit"; then
      began=$(restarts "$unit")
      sleep "$STEADY_FOR"
      if is_active "$unit" && [ "$(restarts "$unit")" = "$began" ]; then continue; fi
    fi
    report_failure "$unit" "$since"
    return 1
  done
}

report_failure() {
  say "$1 did not become ready; the last lines of its journal:" >&2
  journalctl --sync 2>/dev/null || sleep 1
  journalctl --quiet --no-pager --unit "$1" --since "$2" --output cat 2>/dev/null | tail -n 14 | sed 's/^/  | /' >&2 || true
}

# Keeps a copy of the state as it was before the version in $1 first ran: a newer version may write it again.
keep_state() {
  local database
  database=$(inquire "$1" state "$ETC/config.yaml" "$STATE")
  [ -n "$database" ] && [ -f "$database" ] || return 0
  inquire "$1" snapshot "$database" "$1/state-before.db" || say "  (the state could not be copied; continuing without a copy)"
}

# After the version in $1 was left: where it changed the state's schema, the copy from before it comes back.
restore_state() {
  local database
  [ -f "$1/state-before.db" ] || return 0
  database=$(inquire "$1" state "$ETC/config.yaml" "$STATE")
  if [ "$(inquire "$1" schema "$database")" -gt "$(inquire "$1" schema "$1/state-before.db")" ]; then
    # With the socket: a connection would start the service, which must not write now.
    systemctl stop statusproxy.socket statusproxy.service
    inquire "$1" restore "$1/state-before.db" "$database"
    step state "restored as it was before that version"
  fi
}

# Leaves version $1 for version $2.
go_back() {
  restore_state "$1"
  activate "$2"
}

# ---- install, upgrade ----

install() {
  local wheels=$1 source wheel="" python what version folder built="" old new_state=no config written held several
  source=$(dirname "$HERE")
  if [ -n "$wheels" ]; then
    wheels=$(cd "$wheels" 2>/dev/null && pwd) || fail "--wheels: no such folder: $1"
    wheel=$(find "$wheels" -maxdepth 1 -name 'statusproxy-*.whl' | sort -V | tail -n 1)
  fi
  python=$(find_python)
  if [ -n "$wheel" ]; then
    version=$(basename "$wheel" | cut -d- -f2)
    what=$wheel
  elif [ -f "$source/statusproxy/__init__.py" ]; then
    version=$(sed -n 's/^__version__[^"]*"\([^"]*\)".*/\1/p' "$source/statusproxy/__init__.py")
    what=$source
  else
    fail "there is nothing to install: this is not a checkout, and there is no wheel of statusproxy" \
      "in a checkout: sudo ./systemd/install.sh" "with a folder that holds the wheels: $(command_line --wheels DIR)"
  fi
  folder=$PREFIX/$version-$(fingerprint "$wheel" "$source" "$python")
  old=$(current)
  has_state || new_state=yes

  say "statusproxy $version"
  [ -d "$ETC" ] || mkdir -m 755 "$ETC"
  if [ ! -d "$ETC/secrets" ]; then
    mkdir -m 700 "$ETC/secrets"
    made_secrets=yes
  fi
  if [ -f "$ETC/config.yaml" ]; then
    config="$ETC/config.yaml (kept)"
  else
    [ -f "$source/config.yaml" ] || fail "there is no configuration, and no config.yaml beside this installer to begin with" \
      "write $ETC/config.yaml (one line is enough, such as: gateway: http://127.0.0.1:3000), then: $(again)"
    cp "$source/config.yaml" "$ETC/config.yaml"
    chmod 644 "$ETC/config.yaml"
    config="$ETC/config.yaml (new)"
    UNCHANGED="nothing was changed, only $ETC/config.yaml is new"
  fi
  # Before the long part, as far as the file can be read without the program; after it, exactly.
  # Where proxies run in place of the service, their ports are their own.
  several=$(proxies)
  written=$(PYTHONPATH=${wheel:-$source} "$python" -B "$HERE/ports.py" written "$ETC/config.yaml" 2>/dev/null || true)
  held=$(taken "$python" "${wheel:-$source}" "$written")
  [ -z "$held" ] || [ -n "$several" ] || fail_taken "$held"
  if usable "$folder"; then
    step environment "$folder (there already)"
  else
    build "$folder" "$python" "$what" "$wheels" "$source"
    built=$folder
    step environment "$folder ($("$python" --version))"
  fi
  if ! add_packages "$folder" "$wheels" "$source"; then
    abandon "$built" "$old"
    fail "the packages for \`state.url\`, \`webhooks[].jwt\` or \`alerts\` in $ETC/config.yaml could not be installed; $UNCHANGED" \
      "without the internet, fill a folder with wheels (to see how: $(command_line --help)), then: $(command_line --wheels DIR)"
  fi
  [ -z "$added" ] || step packages "$added, for \`state.url\`, \`webhooks[].jwt\` or \`alerts\`"
  step configuration "$config"
  if ! CREDENTIALS_DIRECTORY=$ETC/secrets "$folder/bin/statusproxy" check --config "$ETC/config.yaml" >/dev/null; then
    abandon "$built" "$old"
    fail "version $version does not accept the configuration (above); $UNCHANGED" "correct it, then: $(again)"
  fi
  held=$(taken "$folder/bin/python" "" "$(answer ports)")
  if [ -n "$held" ] && [ -z "$several" ]; then
    abandon "$built" "$old"
    fail_taken "$held"
  fi

  if [ -n "$old" ] && [ -z "$several" ] && relies_on_old_default; then
    abandon "$built" "$old"
    fail "\`listen\` is not in $ETC/config.yaml, and its default is 127.0.0.1:8090 now: this machine only; $UNCHANGED" \
      "to stay open to containers and other machines, write this line into it: listen: 0.0.0.0:8090" \
      "to be open to this machine only: listen: 127.0.0.1:8090" "then: $(again)"
  fi
  if [ "$folder" = "$old" ]; then
    place_units "$folder" || fail "the units could not be written"
    # shellcheck disable=SC2086 # a list
    if [ -z "$added" ] && [ "$units_changed$socket_changed" = nono ] && all_active ${several:-statusproxy.service statusproxy.socket}; then
      step service "active (nothing to do)"
      return
    fi
  elif [ -n "$old" ]; then
    keep_state "$folder"
  else
    keep_own
  fi

  if activate "$folder"; then
    [ -n "$old" ] || rm -rf "$own"
    if [ -n "$old" ] && [ "$old" != "$folder" ]; then
      point previous "$old"
      step service "active; the version before, $(basename "$old"), is kept: $PREFIX/current/share/systemd/install.sh --rollback"
    else
      step service "active, and enabled for the next boot"
    fi
    forget_package
    prune
    [ -n "$several" ] || next_steps "$source"
    return
  fi

  if [ -z "$old" ]; then
    remove
    rm -rf "$folder"
    remove_prefix
    if [ "$new_state" = yes ]; then rm -rf "$STATE" /var/lib/statusproxy; fi
    put_back_own
    fail "version $version does not run here, and was removed again; the configuration stays in $ETC" \
      "fix what the journal names above, then: $(again)"
  fi
  [ "$old" != "$folder" ] || fail "version $version does not run, and there is no other version to go back to" \
    "fix what the journal names above, then: systemctl restart statusproxy"
  say "going back to $(basename "$old")" >&2
  go_back "$folder" "$old" || fail "the previous version does not run either" "see: journalctl -u statusproxy"
  rm -rf "$folder"
  fail "version $version did not become ready; $(basename "$old") runs again, as before"
}

# Where the Debian package was removed, but not purged: dpkg goes on owning the configuration, and a later purge would
# remove it. dpkg forgets the package now; its postrm keeps what this installer has put in place.
forget_package() {
  [ -e /var/lib/dpkg/info/statusproxy.postrm ] || return 0
  cp -p "$ETC/config.yaml" "$ETC/config.yaml.kept"
  dpkg --purge statusproxy >/dev/null 2>&1 || say "dpkg still has the configuration of the removed package: never purge it"
  mv -f "$ETC/config.yaml.kept" "$ETC/config.yaml"
  [ -d "$ETC/secrets" ] || mkdir -m 700 "$ETC/secrets"
}

# Whether there is a state, in whichever way the service keeps it: its own folder, that of a unit of your own, a mount.
has_state() { [ -e "$STATE" ] || [ -e /var/lib/statusproxy ] || [ -L /var/lib/statusproxy ]; }

# Before anything was put in place: removes the version in $1, which this run has built for nothing; "" if it has built
# none. Where no other one runs, $2, the folders go that this run has made. All else was there before, and stays.
abandon() {
  [ -z "$1" ] || rm -rf "$1"
  [ -n "$2" ] || remove_prefix
}

next_steps() {
  local listen reachable docs
  listen=$(sed -n 's/^ListenStream=\(..*\)/\1/p' "$UNITS/statusproxy.socket.d/10-listen.conf" | paste -sd' ')
  reachable=$(answer reachable | paste -sd' ')
  docs=$1/docs
  [ -d "$docs" ] || docs=docs
  cat <<TEXT

It listens on $listen. Next:
  1. $ETC/config.yaml: set \`gateway\` to the gateway's address, then: systemctl reload statusproxy
     (a changed \`listen\`: run this installer again. Secrets: one file each in $ETC/secrets, \${NAME} in the file.)
  2. Route the hub and the gateway's webhooks through it: $docs/nginx.md, $docs/docker.md
  3. Watch it:  systemctl status statusproxy · journalctl -fu statusproxy · statusproxy sessions
TEXT
  if [ -n "$reachable" ]; then
    cat <<TEXT

Other machines can reach $reachable, unless a firewall stands in front. If only nginx on this machine is to reach
statusproxy, write \`listen: 127.0.0.1:8090\` into $ETC/config.yaml, then: $(again)
TEXT
  elif is_loopback "$listen"; then
    cat <<TEXT

Only programs on this machine can reach it. To open it to containers or other machines, write this machine's address in
their network into \`listen\` in $ETC/config.yaml, such as \`listen: [127.0.0.1:8090, 172.17.0.1:8090]\` for docker's
bridge, or \`listen: 0.0.0.0:8090\` for all of them, then: $(again)
TEXT
  fi
}

# Whether all of these addresses of ListenStream= are loopback's; false for Unix sockets, which are there for a purpose.
is_loopback() {
  local address
  [ -n "$1" ] || return 1
  for address in $1; do
    case $address in
      127.* | '[::1]:'*) ;;
      *) return 1 ;;
    esac
  done
}

# Whether the socket is open to other machines only by the default that older versions had, which no line of the
# configuration asks for.
relies_on_old_default() {
  grep -qsx 'ListenStream=0.0.0.0:8090' "$UNITS/statusproxy.socket.d/10-listen.conf" && ! grep -q '^listen:' "$ETC/config.yaml"
}

rollback() {
  local now before
  now=$(current) before=$(previous)
  [ -n "$now" ] || fail "statusproxy is not installed; to install it: $(command_line)"
  if [ -z "$before" ] || [ "$before" = "$now" ]; then
    fail "no version other than $(basename "$now") is kept" "in a checkout of the version that you want: sudo ./systemd/install.sh"
  fi
  usable "$before" || fail "$(basename "$before") no longer starts; nothing was changed" \
    "in a checkout of that version: sudo ./systemd/install.sh"
  CREDENTIALS_DIRECTORY=$ETC/secrets "$before/bin/statusproxy" check --config "$ETC/config.yaml" >/dev/null \
    || fail "$(basename "$before") does not accept the configuration (above); nothing was changed" "correct it, then: $(again)"
  if ! go_back "$now" "$before"; then
    activate "$now" || true
    fail "$(basename "$before") did not become ready; $(basename "$now") runs again"
  fi
  point previous "$now"
  say "statusproxy"
  step service "active: $(basename "$before") runs, $(basename "$now") is kept"
}

# ---- remove ----

# Removes $PREFIX where nothing is left in it, and the folder of secrets where this run has made it.
remove_prefix() {
  rm -f "$PREFIX/.current.new" "$PREFIX/.previous.new"
  rmdir "$PREFIX" 2>/dev/null || true
  if [ "$made_secrets" = yes ]; then rmdir "$ETC/secrets" 2>/dev/null || true; fi
}

# Removes what install puts in place outside $PREFIX, and the links in it; never the configuration or the state.
remove() {
  local several
  several=$(proxies)
  # shellcheck disable=SC2086 # a list
  systemctl --quiet disable --now statusproxy.service statusproxy.socket $several 2>/dev/null || true
  (cd "$UNITS" && rm -f "${UNIT_FILES[@]}" statusproxy.service.d/10-restart.conf statusproxy@.service.d/10-restart.conf \
    statusproxy.socket.d/10-listen.conf)
  rmdir "$UNITS/statusproxy.service.d" "$UNITS/statusproxy@.service.d" "$UNITS/statusproxy.socket.d" 2>/dev/null || true
  systemctl daemon-reload
  systemctl reset-failed "${UNIT_FILES[@]}" 2>/dev/null || true
  rm -f "$PREFIX/current" "$PREFIX/previous"
  if grep -qs "Placed by statusproxy's install.sh" "$COMMAND"; then rm -f "$COMMAND"; fi
  remove_help
}

uninstall() {
  local purge=$1 folder
  say "removing statusproxy"
  remove
  while read -r folder; do [ -z "$folder" ] || rm -rf "$folder"; done <<<"$(versions)"
  remove_prefix
  rmdir "$ETC/secrets" "$ETC" 2>/dev/null || true
  step service "stopped and removed"
  if [ "$purge" = yes ]; then
    rm -rf "$ETC" "$STATE" "$STATE"-[0-9]* /var/lib/statusproxy /var/lib/statusproxy-[0-9]* /run/statusproxy \
      "$UNITS/statusproxy.service.d" "$UNITS/statusproxy@.service.d" "$UNITS/statusproxy.socket.d"
    systemctl daemon-reload
    step purged "configuration, secrets, state, local changes to the units"
  else
    for kept in "$ETC" "$STATE"; do
      [ ! -d "$kept" ] || step kept "$kept"
    done
  fi
  say "What pointed to it (nginx, the hub, the gateway's webhook URL) has to point to the gateway again."
}

main() {
  local action=install wheels="" purge=no
  GIVEN=("$@")
  while [ $# -gt 0 ]; do
    case $1 in
      --wheels)
        [ $# -gt 1 ] || fail "--wheels needs a folder"
        wheels=$2
        shift
        ;;
      --wheels=*) wheels=${1#--wheels=} ;;
      --rollback) action=rollback ;;
      --uninstall) action=uninstall ;;
      --purge) purge=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      *)
        usage >&2
        fail "unknown: $1"
        ;;
    esac
    shift
  done
  [ "$purge" = no ] || [ "$action" = uninstall ] || fail "--purge needs --uninstall: $(command_line --uninstall --purge)"
  need_root
  need_systemd
  need_no_package
  # One at a time.
  exec 9>/run/lock/statusproxy-install.lock
  flock --nonblock 9 || fail "another install.sh is running; when it has ended: $(again)"
  trap 'rm -f /run/lock/statusproxy-install.lock' EXIT
  case $action in
    install) install "$wheels" ;;
    rollback) rollback ;;
    uninstall) uninstall "$purge" ;;
  esac
}

# Read whole before it runs: --uninstall may remove this very file.
main "$@"
exit
