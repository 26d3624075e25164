#!/usr/bin/env bash
# Measures gateways of which nothing is known, and runs them under the claims that come of it: ci/discover.sh [GATEWAY…]
# With everything that makes a gateway wait it takes minutes, so no check calls it.
set -euo pipefail
cd "$(dirname "$0")/.."

gateways=("$@")
[ $# -gt 0 ] || gateways=(nginx haproxy envoy caddy traefik httpd)

cargo build --quiet
gauntlet=${CARGO_TARGET_DIR:-target}/debug/gauntlet
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for gateway in "${gateways[@]}"; do
  cp -R "harness/gateways/$gateway" "$scratch/$gateway"
  # Nothing is known: its tables of claims go, up to the next table of another name.
  awk '/^\[/ { claims = /^\[\[?claims[].]/; if (/^\[claims\]/) print } !claims' \
    "harness/gateways/$gateway/gateway.toml" >"$scratch/$gateway/gateway.toml"
  "$gauntlet" discover --gateway "$scratch/$gateway" --suite upstream --suite listener --suite certificates --suite settings --repeat 2 --out "$scratch/$gateway-measured"
  "$gauntlet" run --gateway "$scratch/$gateway-measured" --quiet
done
