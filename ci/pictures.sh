#!/usr/bin/env bash
# Draws the pictures of the README from real runs: ci/pictures.sh   (needs nginx, haproxy and chromium)
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet
gauntlet=$PWD/target/debug/gauntlet
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# 1 means that something was found: here it is.
(cd docs/pictures && COLUMNS=100 "$gauntlet" audit nginx.conf --at /etc/nginx=. --color always 2>/dev/null >"$out/audit") || [ $? = 1 ]
python3 ci/terminal.py "gauntlet audit nginx.conf" <"$out/audit" >docs/pictures/audit.svg

"$gauntlet" run --no-config --gateway nginx --gateway haproxy --out "$out/run" --quiet >/dev/null
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1200,860 --screenshot="$out/report.png" \
  "file://$out/run/report.html" >/dev/null 2>&1
cp "$out/report.png" docs/pictures/report.png
