#!/usr/bin/env bash
# `gauntlet scan` beside sslyze and nmap, in the same run: 50 ports of one nginx with TLS 1.2 and 1.3 and an RSA key.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PATH:/usr/sbin:$PWD/target/tools/bin
cargo build --release --quiet -p tls-gauntlet --bin gauntlet
gauntlet=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/gauntlet
gauntlet=${GAUNTLET:-$gauntlet}
scratch=$(mktemp -d)
trap 'kill "$nginx" && wait "$nginx" || true; rm -rf "$scratch"' EXIT

"$gauntlet" certs "$scratch/pki" server-good-rsa >/dev/null
# Below the ports that the kernel gives away by itself; if one is taken after all, nginx says so and ends.
first=$((20000 + RANDOM % 9000))
last=$((first + 49))
listen=
for port in $(seq "$first" "$last"); do
  listen+=" listen 127.0.0.1:$port ssl;"
  echo "127.0.0.1:$port" >>"$scratch/targets"
done
cat >"$scratch/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid $scratch/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $scratch/body;
    proxy_temp_path $scratch/proxy;
    fastcgi_temp_path $scratch/fastcgi;
    uwsgi_temp_path $scratch/uwsgi;
    scgi_temp_path $scratch/scgi;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate $scratch/pki/server-good-rsa.pem;
    ssl_certificate_key $scratch/pki/server-good-rsa.key;
    server { $listen return 200 ok; }
}
CONF
nginx -p "$scratch" -e stderr -c "$scratch/nginx.conf" &
nginx=$!
until (exec 8<>"/dev/tcp/127.0.0.1/$last") 2>/dev/null; do kill -0 "$nginx"; done

took() {
  local name=$1 began
  shift
  began=$(date +%s%N)
  "$@" >"$scratch/said" 2>&1 || { tail -n 5 "$scratch/said"; return 1; }
  printf '%-28s %6.2f s\n' "$name" "$((($(date +%s%N) - began) / 10000000))e-2"
}

for _ in 1 2 3; do
  took "gauntlet scan" "$gauntlet" scan --targets "$scratch/targets" --ca "$scratch/pki/server-root.pem" --sni localhost
done
if command -v sslyze >/dev/null; then
  took "sslyze, the same fields" sslyze --targets_in "$scratch/targets" --json_out "$scratch/sslyze.json" --quiet \
    --sni localhost --mozilla_config disable --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --elliptic_curves --reneg \
    --resum --certinfo
fi
if command -v nmap >/dev/null; then
  took "nmap ssl-enum-ciphers" nmap -Pn -n -p "$first-$last" --script ssl-enum-ciphers 127.0.0.1
fi
