#!/usr/bin/env bash
# Runs the whole matrix again and again and compares the verdicts: ci/soak.sh [TIMES] [BUSY-LOOPS] [GATEWAY…]
# BUSY-LOOPS processes keep the machine busy meanwhile. The last line says whether any verdict differed.
set -euo pipefail
cd "$(dirname "$0")/.."

times=${1:-50}
busy=${2:-0}
shift $(($# < 2 ? $# : 2))
gateways=("$@")
[ $# -gt 0 ] || gateways=(reference direct nginx haproxy envoy caddy traefik httpd)

cargo build --quiet
gauntlet=${CARGO_TARGET_DIR:-target}/debug/gauntlet
scratch=$(mktemp -d)
loops=()
trap 'for loop in "${loops[@]}"; do kill "$loop" 2>/dev/null || true; done; rm -rf "$scratch"' EXIT
for ((loop = 0; loop < busy; loop++)); do
  (while :; do :; done) &
  loops+=($!)
done

arguments=()
for gateway in "${gateways[@]}"; do arguments+=(--gateway "$gateway"); done
different=0 failed=0
for ((turn = 1; turn <= times; turn++)); do
  code=0
  "$gauntlet" run "${arguments[@]}" --quiet --format json --seed "$turn" >"$scratch/record.json" || code=$?
  # The names of the cells with their verdicts, and nothing that depends on the time.
  grep -E '^      "(id|verdict)": ' "$scratch/record.json" >"$scratch/$turn" ||
    { echo "soak.sh: turn $turn wrote no record (exit code $code)" >&2; exit 3; }
  differs=0
  cmp --quiet "$scratch/1" "$scratch/$turn" || differs=1
  [ "$code$differs" != 00 ] || continue
  failed=$((failed + (code != 0))) different=$((different + differs))
  cp "$scratch/record.json" "target/soak-$turn.json"
  echo "turn $turn: exit code $code; see gauntlet report target/soak-$turn.json" >&2
  diff "$scratch/1" "$scratch/$turn" >&2 || true
done
summary="$times runs of $(grep -c '"id"' "$scratch/1") cells over ${#gateways[@]} gateways"
if [ "$different$failed" = 00 ]; then
  echo "$summary: no verdict differed"
else
  echo "$summary: $different differed from the first, $failed did not end with 0"
  exit 1
fi
