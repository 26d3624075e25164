#!/usr/bin/env bash
# Builds the container image: ci/image/build.sh [TAG]   (default: gauntlet)
#
# The program is linked statically against musl, so that the image needs nothing else. Needs the Rust target (fetched by
# rustup), musl-gcc (ci/install-tools.sh musl-gcc) and a container engine; pulls no image.
set -euo pipefail
cd "$(dirname "$0")/../.."
tag=${1:-gauntlet}
target=x86_64-unknown-linux-musl

command -v musl-gcc >/dev/null || { echo "build.sh: musl-gcc is not installed; run ci/install-tools.sh musl-gcc" >&2; exit 3; }
rustup target add "$target" >/dev/null 2>&1 ||
  { echo "build.sh: cannot get the target $target; run: rustup target add $target" >&2; exit 3; }
cargo build --quiet --profile image --target "$target" -p tls-gauntlet --bin gauntlet

program=target/$target/image/gauntlet
size=$(stat --format %s "$program")
[ "$size" -lt $((18 * 1000 * 1000)) ] || { echo "build.sh: $program has $size bytes; 18 MB are the limit" >&2; exit 1; }
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$program" ci/image/Dockerfile "$context"
# The builder that every engine has: nothing here needs more.
DOCKER_BUILDKIT=0 docker build --quiet --tag "$tag" "$context"
echo "$tag: $size bytes"
