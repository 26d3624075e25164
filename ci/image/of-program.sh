#!/usr/bin/env bash
# Makes a folder to build an image from: ci/image/of-program.sh PROGRAM DIR
#
# The image holds a program of this machine, the libraries it is linked to, the users and the settings of OpenSSL, and
# nothing else; building it pulls nothing. The tests of gateways in containers use it.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: ci/image/of-program.sh PROGRAM DIR" >&2; exit 2; }
program=$(PATH="$PATH:/usr/sbin" command -v "$1") || { echo "of-program.sh: $1 is not installed" >&2; exit 3; }
root=$2/root
for file in "$program" $(ldd "$program" | grep -o '/[^ )]*') /etc/passwd /etc/group /usr/lib/ssl/openssl.cnf; do
  [ -e "$file" ] || continue
  mkdir -p "$root$(dirname "$file")"
  cp --dereference "$file" "$root$file"
done
cat >"$2/Dockerfile" <<END
FROM scratch
COPY root /
ENTRYPOINT ["$program"]
END
