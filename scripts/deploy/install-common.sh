# shellcheck shell=bash
# What install-quorum.sh and install-compute.sh share. Each step changes only what differs, so
# that running a script again does nothing, and running it from a later bundle is an upgrade.
# A step that changed something sets CHANGED.

umask 022
CHANGED=""
# Where the bundle was unpacked.
BUNDLE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "$PROGRAM: $1"; }
die() { echo "$PROGRAM: $1" >&2; exit "${2:-1}"; }

need_root() { [ "$(id -u)" -eq 0 ] || die "run it as root"; }

has_systemd() { [ -d /run/systemd/system ]; }

# put FROM TO MODE: replaces TO in one step, for it may be running.
put() {
  if [ -f "$2" ] && cmp -s "$1" "$2" && [ "$(stat -c %a "$2")" = "${3#0}" ]; then return 0; fi
  local fresh
  fresh=$(mktemp "$2.XXXXXX")
  cat "$1" > "$fresh"
  chmod "$3" "$fresh"
  mv "$fresh" "$2"
  CHANGED=1
  say "wrote $2"
}

# put_text TO MODE: as put, from standard input.
put_text() {
  local text
  text=$(mktemp)
  cat > "$text"
  put "$text" "$1" "$2"
  rm "$text"
}

# put_generated TO MODE: as put_text, and spares a file that somebody else wrote.
MARK="# Written by $PROGRAM; remove this line to keep your own changes."
put_generated() {
  if [ -f "$1" ] && ! grep -qxF "$MARK" "$1"; then
    cat > /dev/null
    say "left $1 alone: it is not one that this script wrote"
    return 0
  fi
  put_text "$1" "$2" < <(echo "$MARK"; cat)
}

put_binaries() {
  local name
  mkdir -p /usr/local/bin
  for name in "$@"; do
    [ -f "$BUNDLE/bin/$name" ] || die "$BUNDLE/bin/$name is missing: unpack the whole bundle, and run the script in it"
    put "$BUNDLE/bin/$name" "/usr/local/bin/$name" 0755
  done
}

# start_unit NAME: enabled, running, and running what was installed.
start_unit() {
  if ! has_systemd; then
    say "systemd does not run here: start $1 by your own means (systemd/$1.service says how)"
    return 0
  fi
  systemctl daemon-reload
  systemctl enable --quiet "$1"
  if [ -n "$CHANGED" ] || ! systemctl is-active --quiet "$1"; then
    systemctl restart "$1" || die "$1 does not start: see journalctl -u $1"
    say "started $1"
  else
    say "$1 runs, and nothing has changed"
  fi
}

# setting FILE NAME: the value of NAME in an environment file; empty when absent.
setting() { if [ -f "$1" ]; then sed -n "s/^$2=//p" "$1" | tail -1; fi; }
