#!/usr/bin/env bash
# What the image costs: ci/image/measure.sh [TAG]   (needs the image, openssl and curl)
#
# Prints how long after `docker run` was called the first TLS handshake stood, how long after the program began (its own
# process, by the engine's clock), the memory with all backends up, and how long SIGTERM took to end it.
set -euo pipefail
tag=${1:-gauntlet}
now() { date +%s%N; }
ms() { echo $((($2 - $1) / 1000000)); }

for round in 1 2 3 4 5; do
  begun=$(now)
  id=$(docker run --detach --read-only --cap-drop ALL "$tag")
  address=$(docker inspect "$id" --format '{{.NetworkSettings.IPAddress}}')
  until openssl s_client -connect "$address:8443" </dev/null >/dev/null 2>&1; do :; done
  stood=$(now)
  started=$(date --date "$(docker inspect "$id" --format '{{.State.StartedAt}}')" +%s%N)
  until curl --silent --fail --output /dev/null "http://$address:9000/healthz"; do :; done
  memory=$(docker stats --no-stream --format '{{.MemUsage}}' "$id")
  ending=$(now)
  docker stop --time 30 "$id" >/dev/null
  ended=$(now)
  code=$(docker inspect "$id" --format '{{.State.ExitCode}}')
  docker rm "$id" >/dev/null
  echo "handshake $(ms "$started" "$stood") ms after the start, $(ms "$begun" "$stood") ms after docker run;" \
    "memory ${memory%% *}; SIGTERM to end $(ms "$ending" "$ended") ms, exit $code"
done
