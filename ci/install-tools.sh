#!/usr/bin/env bash
# Installs foreign tools that the tests ask for a second opinion: ci/install-tools.sh openssl curl python3
set -euo pipefail

missing=()
packages=()
for tool in "$@"; do
  case "$tool" in
    openssl | curl | python3 | nmap) package=$tool ;;
    gnutls-cli) package=gnutls-bin ;;
    *)
      echo "install-tools.sh: unknown tool \"$tool\"; known are openssl, curl, python3, gnutls-cli, nmap" >&2
      exit 2
      ;;
  esac
  if command -v "$tool" >/dev/null 2>&1; then
    echo "$tool: $(command -v "$tool")"
  else
    missing+=("$tool")
    packages+=("$package")
  fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
  echo "install-tools.sh: cannot install ${missing[*]} without apt-get and root; install them by hand" >&2
  exit 3
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
for tool in "${missing[@]}"; do echo "$tool: installed $(command -v "$tool")"; done
