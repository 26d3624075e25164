#!/usr/bin/env bash
# Sets Gauntlet beside nginx in the same run: what a call costs a server, and what a cell costs a run.
# CALLS, CELLS and SERVERS say how many; times are CPU times (clock ticks of /proc) unless they say otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

calls=${CALLS:-3000}
cells=${CELLS:-500}
servers=${SERVERS:-1000}
rounds=3

cargo build --release --quiet -p tls-gauntlet --bin gauntlet --example load
release=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release
gauntlet=$release/gauntlet
load=$release/examples/load
nginx=${GAUNTLET_NGINX:-$(PATH=$PATH:/usr/sbin command -v nginx || true)}

scratch=$(mktemp -d)
processes=()
trap 'for process in "${processes[@]}"; do kill "$process" 2>/dev/null && wait "$process" || true; done; rm -rf "$scratch"' EXIT

# The clock ticks that a process and its children have used so far.
ticks() {
  local process used=0 fields
  for process in "$1" $(cat "/proc/$1/task/$1/children"); do
    # Fields 14 and 15 of proc(5), counted from behind the name.
    read -r -a fields < <(sed 's/.*) //' "/proc/$process/stat")
    used=$((used + fields[11] + fields[12]))
  done
  echo "$used"
}

# measure NAME PROCESS PORT: a row's figure, µs for each call, added up in the file of that name.
measure() {
  local before
  before=$(ticks "$2")
  OPENSSL_CONF=$scratch/openssl.cnf "$load" call "$scratch/pki" "$3" $((calls / rounds)) >>"$scratch/$1.calls"
  echo $(($(ticks "$2") - before)) >>"$scratch/$1"
}

per_call() {
  [ -e "$scratch/$1" ] || { echo -; return; }
  awk -v hz="$(getconf CLK_TCK)" -v calls=$((calls / rounds * rounds)) \
    '{ ticks += $1 } END { printf "%.0f µs", ticks * 1000000 / hz / calls }' "$scratch/$1"
}

"$gauntlet" certs "$scratch/pki" server-good >/dev/null
# The same job for both: OpenSSL 3.5 and later prefer a hybrid group that the nginx of a distribution does not know.
cat >"$scratch/openssl.cnf" <<CONF
openssl_conf = all
[all]
ssl_conf = modules
[modules]
system_default = defaults
[defaults]
Groups = X25519
CONF
mkfifo "$scratch/end"
"$load" serve "$scratch/pki" plain-good client-cert-required <"$scratch/end" >"$scratch/ports" &
ours=$!
processes+=("$ours")
exec 9>"$scratch/end"
until [ "$(wc -l <"$scratch/ports")" -eq 2 ]; do kill -0 "$ours"; done
{ read -r plain; read -r mutual; } <"$scratch/ports"

if [ -n "$nginx" ]; then
  version=$("$nginx" -v 2>&1 | sed 's/.*: //')
  # Below the ports that the kernel gives away by itself; if one is taken after all, nginx says so and ends.
  port=$((20000 + RANDOM % 10000))
  cat >"$scratch/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid $scratch/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $scratch/body;
    proxy_temp_path $scratch/proxy;
    fastcgi_temp_path $scratch/fastcgi;
    uwsgi_temp_path $scratch/uwsgi;
    scgi_temp_path $scratch/scgi;
    ssl_protocols TLSv1.3;
    ssl_session_cache off;
    ssl_session_tickets off;
    ssl_conf_command NumTickets 0;
    ssl_certificate $scratch/pki/server-good.pem;
    ssl_certificate_key $scratch/pki/server-good.key;
    server {
        listen 127.0.0.1:$port ssl;
        return 200 ok;
    }
    server {
        listen 127.0.0.1:$((port + 1)) ssl;
        ssl_verify_client on;
        ssl_verify_depth 3;
        ssl_client_certificate $scratch/pki/client-root.pem;
        return 200 ok;
    }
}
CONF
  "$nginx" -p "$scratch" -e stderr -c "$scratch/nginx.conf" &
  theirs=$!
  processes+=("$theirs")
  until (exec 8<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do kill -0 "$theirs"; done
else
  version="nginx"
  echo "nginx is not installed (ci/install-gateways.sh nginx); its column stays empty" >&2
fi

for ((round = 0; round < rounds; round++)); do
  measure ours-plain "$ours" "$plain"
  [ -z "$nginx" ] || measure theirs-plain "$theirs" "$port"
  measure ours-mutual "$ours" "$mutual"
  [ -z "$nginx" ] || measure theirs-mutual "$theirs" $((port + 1))
done

printf '%-44s %12s %14s\n' "A server's CPU for a handshake and a request" gauntlet "$version"
printf '%-44s %12s %14s\n' "  TLS 1.3" "$(per_call ours-plain)" "$(per_call theirs-plain)"
printf '%-44s %12s %14s\n' "  TLS 1.3 with a client certificate" "$(per_call ours-mutual)" "$(per_call theirs-mutual)"

# Prints the time a command takes and the CPU of itself and of its children, which the kernel tells of it between its
# end and the moment somebody takes notice.
cost() {
  perl -MTime::HiRes=time -e '
    my ($cells, $began) = (shift, time);
    my $process = open(my $output, "-|", @ARGV) or die "cannot run $ARGV[0]: $!\n";
    my @said = <$output>;
    my @fields;
    do {
      open(my $stat, "<", "/proc/$process/stat") or die "no /proc: $!\n";
      ($_ = <$stat>) =~ s/.*\) //;
      @fields = split;
    } until $fields[0] eq "Z";
    my $wall = time - $began;
    close($output) or die "$ARGV[0] failed: @said\n";
    my $ms = 1000 / `getconf CLK_TCK` / $cells;
    printf "%.2f s %.2f ms %.2f ms\n", $wall, ($fields[11] + $fields[12]) * $ms, ($fields[13] + $fields[14]) * $ms;
  ' "$cells" "$@"
}

# One positive cell, as often as there are to be cells.
cells_through() {
  cost "$gauntlet" run --gateway "$1" --filter "upstream/plain-good/strict::*" --repeat "$cells" --quiet
}

printf '\n%-44s %12s %14s %14s\n' "$cells cells, from start to stop" wall "own CPU a cell" "gateway's"
for gateway in direct ${nginx:+nginx}; do
  for ((round = 0; round < rounds; round++)); do
    read -r wall _ own _ other _ < <(cells_through "$gateway")
    printf '  %-42s %12s %14s %14s\n' "$gateway" "$wall s" "$own ms" "$other ms"
  done
done

# What a process, and those below it, have used up to now: CPU time, and memory with shared pages in equal parts.
used() {
  local process memory=0 part
  for process in "$1" $(cat "/proc/$1/task/$1/children"); do
    part=$(awk '/^Pss:/ { print $2 }' "/proc/$process/smaps_rollup")
    memory=$((memory + part))
  done
  awk -v ticks="$(ticks "$1")" -v hz="$(getconf CLK_TCK)" -v kib=$memory \
    'BEGIN { printf "%.2f s %.0f MiB\n", ticks / hz, kib / 1024 }'
}

# Each with a port and a certificate of its own; nginx finds its certificates in files, we make ours.
printf '\n%-44s %12s %14s\n' "$servers servers, until all of them listen" CPU memory
"$load" start "$scratch/pki" "$servers" <"$scratch/end" >"$scratch/started" &
ours=$!
processes+=("$ours")
until [ -s "$scratch/started" ]; do kill -0 "$ours"; done
read -r cpu _ memory _ < <(used "$ours")
printf '  %-42s %12s %14s\n' gauntlet "$cpu s" "$memory MiB"
if [ -n "$nginx" ]; then
  mkdir "$scratch/names"
  "$load" names "$scratch/pki" "$servers" "$scratch/names"
  base=$((30000 - servers - RANDOM % 9000))
  {
    sed -n '/^daemon/,/ssl_session_tickets/p' "$scratch/nginx.conf" | sed 's/worker_connections 1024/worker_connections 4096/; s/nginx.pid/many.pid/'
    for ((server = 0; server < servers; server++)); do
      name=$scratch/names/server-$server.gauntlet.test.pem
      echo "server { listen 127.0.0.1:$((base + server)) ssl; ssl_certificate $name; ssl_certificate_key $name; return 200 ok; }"
    done
    echo "}"
  } >"$scratch/many.conf"
  "$nginx" -p "$scratch" -e stderr -c "$scratch/many.conf" &
  theirs=$!
  processes+=("$theirs")
  until (exec 8<>"/dev/tcp/127.0.0.1/$((base + servers - 1))") 2>/dev/null; do kill -0 "$theirs"; done
  until [ "$(wc -w <"/proc/$theirs/task/$theirs/children")" -eq 2 ]; do kill -0 "$theirs"; done
  # An answer: its worker is ready.
  (exec 8<>"/dev/tcp/127.0.0.1/$base" && printf 'GET / HTTP/1.0\r\n\r\n' >&8 && cat <&8 >/dev/null)
  read -r cpu _ memory _ < <(used "$theirs")
  printf '  %-42s %12s %14s\n' "$version" "$cpu s" "$memory MiB"
fi
