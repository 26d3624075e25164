#!/usr/bin/env bash
# The checks, the same on a laptop and in a pipeline: ci/check.sh NAME…, or `all`.
set -euo pipefail
cd "$(dirname "$0")/.."

ALL=(fmt lint docs test outside package generated deny advisories pinned typos unused pipelines sbom image packages containers api)

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

is_required() { case ",${GAUNTLET_REQUIRE:-}," in *",$1,"* | *,all,*) return 0 ;; *) return 1 ;; esac; }

# The same for a Python module.
have_module() {
  [ -x target/tools/bin/python ] && target/tools/bin/python -c "import $1" 2>/dev/null && return 0
  ! is_required "$1" || { echo "check.sh: $1 is required and not installed; ci/install-tools.sh $1" >&2; exit 3; }
  echo "skipped: $1 is not installed (ci/install-tools.sh $1)"
  return 1
}

fmt() { cargo fmt --all --check; }

lint() {
  cargo clippy --workspace --all-targets --quiet -- -D warnings
  # Backends and clients alone, without the command and the matrix.
  cargo clippy -p tls-gauntlet --no-default-features --quiet -- -D warnings
  ! cargo tree -p tls-gauntlet --no-default-features --edges normal --prefix none | grep -E '^(clap|testcontainers) ' ||
    { echo "check.sh: without its features, tls-gauntlet must not need what is named above" >&2; exit 1; }
}

docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet; }

# The command that the README names.
test() { cargo test; }

# A crate that is not ours, with the tests that it may have.
outside() {
  cp Cargo.lock tests/outside/Cargo.lock
  (cd tests/outside && cargo test --quiet)
}

# The examples for pipelines, by the checkers of their formats, else against their schemas; the examples in languages of which
# nobody here has the compiler and the libraries, by their grammars.
pipelines() {
  local PATH="$PWD/target/tools/bin:$PATH"
  if have check-jsonschema "ci/install-tools.sh check-jsonschema"; then (cd ci/pipelines && schemas); fi
  if have kubernetes-validate "ci/install-tools.sh kubernetes-validate"; then
    kubernetes-validate --strict ci/pipelines/kubernetes/*.yaml
  fi
  if have zizmor "ci/install-tools.sh zizmor"; then
    zizmor --offline --no-progress --quiet --min-severity low --config ci/zizmor.yml ci/pipelines/github-*.yml \
      ci/pipelines/action/action.yml
  fi
  if have docker-compose "ci/install-tools.sh docker-compose"; then
    docker-compose --file ci/pipelines/compose.yaml config --quiet
  fi
  if have_module tree_sitter; then target/tools/bin/python ci/grammar.py docs/examples/*; fi
  partitions
}

schemas() {
  check-jsonschema --builtin-schema vendor.github-workflows github-*.yml
  check-jsonschema --builtin-schema vendor.github-actions action/action.yml
  check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci gitlab-ci.yml
  # A pattern of this schema is for expressions without the flag "u".
  check-jsonschema --builtin-schema vendor.azure-pipelines --data-transform azure-pipelines --regex-variant nonunicode \
    azure-pipelines.yml
  check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
}

# The parts into which nextest cuts the matrix are the matrix: nothing is missing, nothing is twice.
partitions() {
  have cargo-nextest "https://nexte.st" || return 0
  local cells parts
  cells=$(cells_of) && parts=$(for part in 1 2 3; do cells_of --partition "hash:$part/3"; done) || return 1
  [ -n "$cells" ] && [ "$(sort <<<"$cells")" = "$(sort <<<"$parts")" ] ||
    { echo "check.sh: the partitions of nextest are not the matrix" >&2; return 1; }
  echo "$(wc -l <<<"$cells") cells, the same in three partitions of nextest"
}

cells_of() {
  cargo nextest list -p tests --test matrix --run-ignored all --message-format json "$@" 2>/dev/null | python3 -c '
import json, sys
for suite in json.load(sys.stdin)["rust-suites"].values():
    for name, cell in suite["testcases"].items():
        if cell["filter-match"]["status"] == "matches":
            print(name)'
}

# The software bill of materials: made, and valid.
sbom() {
  have_module cyclonedx || return 0
  target/tools/bin/python ci/sbom.py >target/gauntlet.cdx.json
  echo "target/gauntlet.cdx.json"
}

# Whether an image can be made and run here; says why not.
engine() {
  if ! docker version >/dev/null 2>&1; then
    ! is_required docker || { echo "check.sh: docker is required, and no engine answers" >&2; exit 3; }
    echo "skipped: no container engine answers"
    return 1
  fi
  if ! rustup target add x86_64-unknown-linux-musl >/dev/null 2>&1; then
    ! is_required musl-target || { echo "check.sh: the Rust target x86_64-unknown-linux-musl cannot be had" >&2; exit 3; }
    echo "skipped: the Rust target x86_64-unknown-linux-musl cannot be had"
    return 1
  fi
}

# The container image: built, measured, and called on a real engine by the example that can be run here.
image() {
  engine || return 0
  ci/image/build.sh
  ci/image/measure.sh --check
  have_module testcontainers || return 0
  (cd docs/examples && ../../target/tools/bin/python -W ignore -m unittest test_backend)
}

# The wheel and the Debian package, of the program in the image; each installed and used.
packages() {
  if [ ! -x target/x86_64-unknown-linux-musl/image/gauntlet ]; then
    echo "skipped: there is no static program (ci/check.sh image builds it)"
    return 0
  fi
  ci/packages.sh
}

# The fleet, and a gateway between it and its client, in containers; the page about them.
containers() {
  engine || return 0
  # Also where there is one: it may be of yesterday.
  ci/image/build.sh
  cp Cargo.lock tests/outside/Cargo.lock
  (cd tests/outside && cargo test --quiet --features containers --test containers)
  GAUNTLET_REQUIRE="${GAUNTLET_REQUIRE:-},gauntlet-image" cargo test --quiet -p tls-gauntlet --test book containers
}

# Every public item of the three crates, as rustdoc knows them; a change has to be checked in.
api() {
  local package
  # With the features that everything else here is checked with, so that little is built for it.
  RUSTDOC="$PWD/ci/rustdoc-json" cargo doc --quiet --workspace --no-deps --lib
  for package in tls-gauntlet-certs tls-gauntlet-scenarios tls-gauntlet; do
    (cd tests/api && cargo run --quiet -- "../../target/doc/${package//-/_}.json" >"$package.txt")
  done
  git diff --exit-code -- tests/api
}

# What would be published holds all that its build needs.
package() { cargo package --workspace --exclude tests --no-verify --allow-dirty --quiet; }

# What is generated and checked in must be what the code generates.
generated() {
  UPDATE=1 cargo test --quiet --test report_formats
  UPDATE=1 cargo test --quiet -p tls-gauntlet --lib the_published_schema
  git diff --exit-code -- harness/schemas
  compatibility
}

# The page of what the six do needs the six, two of them in two versions.
compatibility() {
  local gateway
  for gateway in nginx haproxy envoy caddy traefik httpd nginx@1.26 haproxy@3.0; do
    PATH="$PATH:/usr/sbin:$PWD/target/gateways/envoy/envoy/_bin:$PWD/target/gateways/caddy/bin:$PWD/target/gateways/traefik/bin" \
      have_gateway "$gateway" || return 0
  done
  ci/compatibility.sh
  git diff --exit-code -- docs/compatibility.md docs/compatibility.html
}

have_gateway() {
  case $1 in
    httpd) command -v apache2 >/dev/null || have httpd "ci/install-gateways.sh httpd" ;;
    # What is beside others is on no PATH.
    *@*) [ -x "target/gateways/$1/${1%@*}" ] || have "$1" "ci/install-gateways.sh $1" ;;
    *) have "$1" "ci/install-gateways.sh $1" ;;
  esac
}

deny() {
  local PATH="$PWD/target/tools/bin:$PATH"
  have cargo-deny "ci/install-tools.sh cargo-deny" || return 0
  # What other platforms need counts as well, and is not here yet.
  cargo fetch --quiet --locked
  cargo deny --offline check bans licenses sources
}

# With a clone of the RustSec database, wherever it is: it is updated more often than this repository.
advisories() {
  local PATH="$PWD/target/tools/bin:$PATH" folder
  have cargo-deny "ci/install-tools.sh cargo-deny" || return 0
  if [ -z "${GAUNTLET_ADVISORIES:-}" ]; then
    echo "skipped: GAUNTLET_ADVISORIES names no clone of https://github.com/RustSec/advisory-db"
    return 0
  fi
  folder=$(mktemp -d)
  {
    printf '[graph]\nall-features = true\n[advisories]\ndb-path = "%s/db"\n' "$folder"
    printf 'db-urls = ["file://%s"]\n' "$(realpath "$GAUNTLET_ADVISORIES")"
  } >"$folder/deny.toml"
  cargo deny check --config "$folder/deny.toml" advisories
  rm -rf "$folder"
}

# The pinned source of OpenSSL is the newest of its line that the registry has.
pinned() {
  local pinned newest
  pinned=$(sed -n 's/^openssl-src = { version = "=\([0-9.]*\)".*/\1/p' Cargo.toml)
  # Outside of the workspace, whose lock file would answer.
  newest=$(cd / && cargo info --quiet "openssl-src@${pinned%%.*}" 2>/dev/null | sed -n 's/^version: \([0-9.]*\).*/\1/p') || true
  if [ -z "$newest" ]; then
    echo "skipped: no registry says which openssl-src is the newest"
  elif [ "$newest" != "$pinned" ]; then
    echo "check.sh: openssl-src $pinned is pinned, and $newest is there; pin that, and run every test" >&2
    return 1
  fi
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
