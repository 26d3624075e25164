#!/usr/bin/env bash
# Makes a Debian package of a static program: ci/deb.sh PROGRAM VERSION FOLDER; prints its path. With the manual and what the
# shells need to complete.
set -euo pipefail
program=$1 version=$2 folder=$3
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

install -D -m 755 "$program" "$tree/usr/bin/gauntlet"
gauntlet=$tree/usr/bin/gauntlet
share=$tree/usr/share
mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$gauntlet" man --out "$share/man/man1" >/dev/null
gzip -n -9 "$share"/man/man1/*
"$gauntlet" completions bash >"$share/bash-completion/completions/gauntlet"
"$gauntlet" completions zsh >"$share/zsh/vendor-completions/_gauntlet"
"$gauntlet" completions fish >"$share/fish/vendor_completions.d/gauntlet.fish"
for licence in LICENSE-MIT LICENSE-APACHE; do
  install -D -m 644 "$(dirname "$0")/../$licence" "$share/doc/gauntlet/$licence"
done
mkdir "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: gauntlet
Version: $version
Architecture: amd64
Maintainer: The developers of Gauntlet <gauntlet@localhost>
Installed-Size: $(du -sk "$tree/usr" | cut -f1)
Recommends: iproute2, util-linux
Suggests: nginx, haproxy, apache2
Section: net
Priority: optional
Description: tests the TLS connections of a gateway
 Gauntlet stands in for the backends that a gateway dials, turns into one
 flawed server after another, calls the gateway as a client would, and says
 of each what came of it and why.
CONTROL
mkdir -p "$folder"
package=$folder/gauntlet_${version}_amd64.deb
dpkg-deb --root-owner-group --build "$tree" "$package" >/dev/null
echo "$package"
