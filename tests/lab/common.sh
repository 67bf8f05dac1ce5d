# Sourced by the scripts of this folder, which set `here` to their own.
# shellcheck shell=sh
#
# LAB_STATE  what servers write, one folder each: $LAB_STATE/<name>-<port>/
# LAB_CACHE  what is downloaded once: virtual environments and node_modules
# README.md says where both lie when they are not set.

set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive

lab_root=${LAB_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/saml2cloud-lab}
lab_cache=${LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/saml2cloud-lab}

lab_die() { printf 'lab: %s\n' "$*" >&2; exit 1; }
lab_note() { [ -n "${LAB_QUIET:-}" ] || printf 'lab: %s\n' "$*" >&2; }

# lab_args NAME "$@": reads <port>; sets name, port, state. Port 0 takes a free one.
lab_args() {
    name=$1; shift
    [ $# -ge 1 ] || lab_die "usage: $name/start <port>   |   $name/start <port> stop"
    port=$1
    case $port in ''|*[!0-9]*) lab_die "not a port: $port";; esac
    if [ "$port" -eq 0 ]; then port=$(lab_free_port); fi
    state=$lab_root/$name-$port
    lab_mode=${2:-}
    if [ "$lab_mode" = stop ]; then lab_stop; exit 0; fi
    mkdir -p "$lab_root" && chmod 700 "$lab_root"
    mkdir -p "$state" "$lab_cache"
    if lab_alive; then
        [ -s "$state/ready" ] && { cat "$state/ready"; exit 0; }
        lab_stop
    fi
    rm -f "$state/ready" "$state/pids"
    if lab_port_taken "$port"; then lab_die "127.0.0.1:$port is in use by something else"; fi
}

lab_port_taken() { python3 - "$1" <<'PY'
import socket, sys
s = socket.socket(); s.settimeout(1)
sys.exit(0 if s.connect_ex(("127.0.0.1", int(sys.argv[1]))) == 0 else 1)
PY
}

lab_free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

# One install at a time, also between starts that run side by side; the lock goes with the shell that took it.
lab_lock() { mkdir -p "$lab_cache"; exec 9>"$lab_cache/lock"; flock 9; }
lab_unlock() { exec 9>&-; }

# lab_apt PKG...: installs Debian packages that are not there yet.
lab_apt() {
    missing=
    for p in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
    done
    [ -n "$missing" ] || return 0
    lab_note "installing$missing"
    lab_lock
    [ "$(id -u)" -eq 0 ] || lab_die "needs root once to install:$missing"
    apt-get -o DPkg::Lock::Timeout=300 -qq update >"$lab_cache/apt.log" 2>&1 || lab_note "apt-get update failed, trying with the lists at hand"
    # No service of a package may start by itself.
    guard=/usr/sbin/policy-rc.d; made=
    if [ ! -e "$guard" ]; then printf '#!/bin/sh\nexit 101\n' >"$guard"; chmod 755 "$guard"; made=1; fi
    rc=0
    # shellcheck disable=SC2086
    apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing </dev/null >>"$lab_cache/apt.log" 2>&1 || rc=$?
    [ -z "$made" ] || rm -f "$guard"
    lab_unlock
    [ "$rc" -eq 0 ] || { tail -n 5 "$lab_cache/apt.log" >&2; lab_die "apt-get install failed:$missing"; }
}

# lab_npm NAME: node_modules for the package.json beside the caller; prints the folder.
lab_npm() {
    # shellcheck disable=SC2154
    src=$here; dst=$lab_cache/npm-$1
    lab_lock; mkdir -p "$dst"
    if ! cmp -s "$src/package-lock.json" "$dst/package-lock.json" || [ ! -e "$dst/.done" ]; then
        lab_note "npm ci ($1)"
        rm -f "$dst/.done"
        cp "$src/package.json" "$src/package-lock.json" "$dst/"
        (cd "$dst" && npm ci --no-audit --no-fund --ignore-scripts >npm.log 2>&1) \
            || { tail -n 5 "$dst/npm.log" >&2; lab_die "npm ci failed"; }
        : >"$dst/.done"
    fi
    lab_unlock
    printf '%s\n' "$dst"
}

# lab_venv NAME: a virtual environment with the requirements.txt beside the caller; prints its folder.
lab_venv() {
    src=$here/requirements.txt; dst=$lab_cache/venv-$1
    lab_lock
    if ! cmp -s "$src" "$dst/requirements.done"; then
        lab_note "pip install ($1)"
        [ -x "$dst/bin/python" ] || python3 -m venv "$dst" >&2 || lab_die "python3 -m venv failed"
        "$dst/bin/python" -m pip install -q --disable-pip-version-check -r "$src" >"$lab_cache/pip-$1.log" 2>&1 \
            || { tail -n 5 "$lab_cache/pip-$1.log" >&2; lab_die "pip install failed"; }
        cp "$src" "$dst/requirements.done"
    fi
    lab_unlock
    printf '%s\n' "$dst"
}

# A process is known by its pid and the time it started at, so a reused pid is never ended.
# Prints nothing for a pid that is gone or a zombie.
lab_birth() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }

# lab_group PID: is anything of the process group PID still running?
lab_group() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v g="$1" '{ sub(/.*\) /, ""); if ($1 != "Z" && $3 == g) f = 1 } END { exit !f }'; }

# lab_spawn LABEL CMD...: runs CMD in a session of its own, output to $state/LABEL.log.
lab_spawn() {
    label=$1; shift
    # shellcheck disable=SC2016
    setsid sh -c 'echo $$ >"$0"; exec "$@"' "$state/$label.pid" "$@" </dev/null >"$state/$label.log" 2>&1 &
    i=0
    while [ ! -s "$state/$label.pid" ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done
    pid=$(cat "$state/$label.pid"); rm -f "$state/$label.pid"
    printf '%s %s %s\n' "$pid" "$(lab_birth "$pid")" "$label" >>"$state/pids"
}

lab_alive() {
    [ -s "$state/pids" ] || return 1
    while read -r pid birth _; do
        [ -n "$birth" ] && [ "$(lab_birth "$pid")" = "$birth" ] || return 1
    done <"$state/pids"
}

# Ends the recorded processes and what they started in their own process groups.
lab_stop() {
    [ -s "$state/pids" ] || return 0
    while read -r pid birth _; do
        [ -n "$birth" ] && [ "$(lab_birth "$pid")" = "$birth" ] || continue
        kill -s TERM -- "-$pid" 2>/dev/null || true
        i=0
        while lab_group "$pid" && [ $i -lt 30 ]; do sleep 0.1; i=$((i+1)); done
        if lab_group "$pid"; then kill -s KILL -- "-$pid" 2>/dev/null || true; fi
    done <"$state/pids"
    rm -f "$state/pids" "$state/ready"
}

# lab_wait URL [SECONDS]: until URL answers with a success.
lab_wait() {
    url=$1; deadline=$(( $(date +%s) + ${2:-30} ))
    until curl -s -f -k -o /dev/null --noproxy '*' --max-time 3 "$url"; do
        if [ "$(date +%s)" -ge "$deadline" ] || ! lab_alive; then
            for f in "$state"/*.log; do [ -e "$f" ] && tail -n 5 "$f" >&2; done
            lab_stop; lab_die "$name did not come up at $url"
        fi
        sleep 0.2
    done
}

# lab_wait_port LABEL: until something listens on $port.
lab_wait_port() {
    i=0
    until lab_port_taken "$port"; do
        i=$((i+1))
        if [ $i -ge 100 ] || ! lab_alive; then
            tail -n 5 "$state/$1.log" >&2
            lab_stop; lab_die "$name did not come up"
        fi
        sleep 0.1
    done
}

# lab_ready KEY=VALUE...: the one line that a caller reads; values hold no blanks.
lab_ready() { printf '%s\n' "$*" >"$state/ready.tmp"; mv "$state/ready.tmp" "$state/ready"; cat "$state/ready"; }
