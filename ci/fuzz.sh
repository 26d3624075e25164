#!/usr/bin/env bash
# Fuzzes every reader of what others wrote: ci/fuzz.sh EXECUTIONS, for each of them (a million if absent).
# An input that a reader cannot bear is named, and kept among the temporary files.
set -euo pipefail
cd "$(dirname "$0")/.."

executions=${1:-1000000}
began=$SECONDS
GAUNTLET_FUZZ=$executions cargo test --release -p tls-gauntlet --lib -- fuzz:: --nocapture
echo "$executions executions for each reader in $((SECONDS - began)) s on $(nproc) cores"
