#!/usr/bin/env bash
# Writes docs/compatibility.md and docs/compatibility.html from a run over the six gateways, in the versions that their
# claims were measured with: nginx and HAProxy in two of them.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet
gauntlet=${CARGO_TARGET_DIR:-target}/debug/gauntlet
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
arguments=()
for gateway in nginx nginx@1.26 haproxy haproxy@3.0 envoy caddy traefik httpd; do arguments+=(--gateway "$gateway"); done
for suite in upstream listener certificates settings zoo; do arguments+=(--suite "$suite"); done
"$gauntlet" run "${arguments[@]}" --seed 1 --quiet --format json \
  >"$scratch/run.json"
"$gauntlet" report "$scratch/run.json" --format compatibility >docs/compatibility.md
"$gauntlet" report "$scratch/run.json" --format compatibility-html >docs/compatibility.html
