#!/usr/bin/env bash
# Runs the whole matrix again and again and compares the verdicts: ci/soak.sh [TIMES] [BUSY-LOOPS] [GATEWAY…]
# BUSY-LOOPS processes keep the machine busy meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

times=${1:-50}
busy=${2:-0}
shift $(($# < 2 ? $# : 2))
gateways=("$@")
[ $# -gt 0 ] || gateways=(reference direct nginx haproxy)

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
for ((turn = 1; turn <= times; turn++)); do
  "$gauntlet" run "${arguments[@]}" --quiet --format json --seed "$turn" >"$scratch/record.json" || {
    code=$?
    echo "turn $turn ended with $code" >&2
    "$gauntlet" run "${arguments[@]}" --quiet --seed "$turn" >&2 || true
    exit 1
  }
  # The names of the cells with their verdicts, and nothing that depends on the time.
  grep -E '^      "(id|verdict)": ' "$scratch/record.json" >"$scratch/$turn"
  cmp --quiet "$scratch/1" "$scratch/$turn" || {
    echo "turn $turn differs from turn 1:" >&2
    diff "$scratch/1" "$scratch/$turn" >&2 || true
    exit 1
  }
done
echo "$times runs of $(grep -c '"id"' "$scratch/1") cells, the same verdicts each time"
