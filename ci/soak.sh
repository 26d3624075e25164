#!/usr/bin/env bash
# Runs all gateways over and over, beside a run that is set up wrongly, and ends runs at random moments: ci/soak.sh RUNS KILLS
# (100 and 200 if absent); GATEWAYS names others, GAUNTLET another program. No verdict may differ, nothing may be left, no record may be lost.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-100} kills=${2:-200}
read -ra gateways <<<"${GATEWAYS:-nginx haproxy envoy caddy traefik httpd}"
if [ -z "${GAUNTLET:-}" ]; then cargo build --quiet --release -p tls-gauntlet; fi
gauntlet=${GAUNTLET:-$PWD/target/release/gauntlet}
work=$(mktemp -d)
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
named=()
for gateway in "${gateways[@]}"; do named+=(--gateway "$gateway"); done

# The verdicts alone: times differ.
verdicts() { python3 -c 'import json, sys
for cell in json.load(open(sys.argv[1]))["cells"]: print(cell["id"], cell["verdict"])' "$1"; }

# Beside everything else: a run whose gateway is told to verify nothing after it was told to.
(while [ ! -e "$work/end" ]; do
  "$gauntlet" run --gateway reference --after-reload --quiet --out "$work/beside" >/dev/null 2>&1 || true
done) &
beside=$!

for ((run = 1; run <= runs; run++)); do
  "$gauntlet" run "${named[@]}" --seed 1 --quiet --out "$work/run" >/dev/null || [ $? = 1 ]
  verdicts "$work/run/run.json" >"$work/verdicts"
  if [ "$run" = 1 ]; then cp "$work/verdicts" "$work/first"; fi
  diff "$work/first" "$work/verdicts" || { echo "run $run differs" >&2; exit 1; }
done

for ((kill = 1; kill <= kills; kill++)); do
  rm -rf "$work/killed"
  "$gauntlet" run "${named[@]}" --seed 1 --quiet --out "$work/killed" >/dev/null 2>&1 &
  process=$!
  # Any moment of a run, to the millisecond.
  timeout "$((RANDOM % 20)).$((RANDOM % 1000))" tail --pid "$process" -f /dev/null || true
  signal=$([ $((RANDOM % 2)) = 0 ] && echo INT || echo KILL)
  kill -s "$signal" "$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || true
  for file in "$work"/killed/run.json "$work"/killed/run.partial.json; do
    if [ -e "$file" ]; then verdicts "$file" >/dev/null; fi
  done
done

touch "$work/end"
wait "$beside"
# A guard may still be at it.
for _ in $(seq 50); do
  left=$(find "$TMPDIR" -mindepth 1 -maxdepth 1 | wc -l)
  [ "$left" = 0 ] && break
  timeout 0.2 tail -f /dev/null || true
done
[ "$left" = 0 ] || { echo "left: $(ls "$TMPDIR")" >&2; exit 1; }
rm -rf "$work"
echo "$runs runs of ${#gateways[@]} gateways and $kills kills: no verdict differed, nothing was left, no record was lost"
