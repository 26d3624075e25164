#!/usr/bin/env bash
# The checks, the same on a laptop and in a pipeline: ci/check.sh NAME…, or `all`.
set -euo pipefail
cd "$(dirname "$0")/.."

ALL=(fmt lint docs test generated deny typos unused)

# A tool that is not installed skips its check by name, unless GAUNTLET_REQUIRE lists it.
have() {
  command -v "$1" >/dev/null 2>&1 && return 0
  case ",${GAUNTLET_REQUIRE:-}," in
    *",$1,"*)
      echo "check.sh: $1 is required and not installed; $2" >&2
      exit 3
      ;;
  esac
  echo "skipped: $1 is not installed ($2)"
  return 1
}

fmt() { cargo fmt --all --check; }

lint() { cargo clippy --workspace --all-targets --quiet -- -D warnings; }

docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet; }

# The command that the README names.
test() { cargo test; }

# What is generated and checked in must be what the code generates.
generated() {
  UPDATE=1 cargo test --quiet --test report_formats
  git diff --exit-code -- harness/schemas
}

deny() {
  have cargo-deny "cargo install cargo-deny --locked" || return 0
  cargo deny --offline check bans licenses sources
}

typos() {
  have typos "pip install typos" || return 0
  command typos
}

unused() {
  have cargo-machete "cargo install cargo-machete --locked" || return 0
  cargo machete
}

[ $# -gt 0 ] || { echo "usage: ci/check.sh all | ${ALL[*]}" >&2; exit 2; }
names=("$@")
[ "$1" != all ] || names=("${ALL[@]}")
for name in "${names[@]}"; do
  case " ${ALL[*]} " in
    *" $name "*) ;;
    *) echo "check.sh: unknown check \"$name\"; known are all ${ALL[*]}" >&2; exit 2 ;;
  esac
done
for name in "${names[@]}"; do
  echo "== $name"
  "$name"
done
