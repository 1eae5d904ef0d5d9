#!/usr/bin/env bash
# LOAD: the shipped configuration under the promised load, BIND in the place of the domain controllers and of
# AmazonProvidedDNS. `bench/run load` builds what this needs and runs it in a network namespace of its own.
#
#   bench/load.sh [RATE [SECONDS]]   10000 q/s for 60 s: 85 % popular names over all kinds of routes (tests/lab/queries.txt)
set -euo pipefail

main() {
    open_workplace
    load "${1-10000}" "${2-60}"
}

# A client of each kind, its share of the load in percent, and the rows of the lab's table that it takes its names from.
clients=(
    "10.0.30.100  50 ^10[.]"
    "10.3.30.100  20 ^10[.]"
    "192.168.50.5 20 ^(192[.]168|172[.]16)[.]"
    "203.0.113.7  10 ^(203[.]0[.]113|198[.]51[.]100)[.]"
)

load() {
    local rate=$1 seconds=$2 client share pattern loads=() load server before cpu
    echo "load: the shipped configuration, $rate q/s for $seconds s, query log on"
    for client in "${clients[@]}"; do
        read -r client share pattern <<<"$client"
        ip address add "$client/32" dev lo
        popular_and_new "$client" "$pattern" $((rate * seconds * share / 100)) >"$work/$client.queries"
    done
    start_network
    cp -r conf zones "$work"
    sed -i "s|^to = .*|to = \"$work/query.log\"|; s|^snapshot = .*|snapshot = \"$work/responses\"|" "$work/conf/kakehashi.toml"
    # One address stands for the whole internet here, and asks more than the shipped limit of a single prefix.
    sed -i "/^limit = true/d" "$work/conf/networks.toml"
    start server 0 target/release/kakehashi serve --config "$work/conf/kakehashi.toml"
    server=$started
    until_answered 10.150.20.10 53 portal.technova.internal 10.0.30.100
    before=$(cpu_of "$server")
    for client in "${clients[@]}"; do
        read -r client share _ <<<"$client"
        taskset -c 1 dnsperf -s 10.150.20.10 -a "$client" -d "$work/$client.queries" -e -b 4096 -q 1000 -v \
            -l "$seconds" -Q $((rate * share / 100)) 2>"$work/$client.errors" | digest >"$work/$client.digest" &
        loads+=($!)
        children+=($!)
    done
    for load in "${loads[@]}"; do wait "$load"; done
    cpu=$(($(cpu_of "$server") - before))
    local resident
    resident=$(awk '/^VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$server/status")
    finish "$server"
    cat "$work"/*.digest | report "$cpu" "$resident" "$(wc -l <"$work/query.log")"
}

# Queries for `dnsperf -d`: 85 % from the lab's table, some names far more often than others, 15 % never asked before.
popular_and_new() {
    local client=$1 pattern=$2 count=$3
    awk -v client="$client" -v pattern="$pattern" -v count="$count" '
        BEGIN { srand(20260) }
        $1 ~ pattern && $1 !~ /@/ && $3 ~ /^(A|AAAA|SRV|PTR|MX|TXT|NS|SOA|CNAME)$/ && $4 ~ /^(NOERROR|NXDOMAIN|REFUSED)$/ {
            popular[rows++] = $2 " " $3
        }
        END {
            for (at = rows - 1; at > 0; at--) {
                other = int(rand() * (at + 1)); row = popular[at]; popular[at] = popular[other]; popular[other] = row
            }
            vpc = split("load.technova.local load.example.com ap-northeast-1.amazonaws.com technova.internal load.technova.local", v)
            onprem = split("load.example.com ap-northeast-1.amazonaws.com technova.internal", o)
            gsub(/[.]/, "-", client)
            for (n = 0; n < count; n++) {
                if (rand() < 0.85) { print popular[int(rows * rand() ^ 2)]; continue }
                if (client ~ /^10-/) under = v[1 + int(rand() * vpc)]
                else if (client ~ /^192-/) under = o[1 + int(rand() * onprem)]
                else under = "technova.com"
                print "n" n "-" client "." under " A"
            }
        }' tests/lab/queries.txt
}

# What `dnsperf -v` says → counts, and how many answers took how many microseconds.
digest() {
    awk '
        /^> (T|[A-Z0-9]+) / { if ($2 != "T") took[int($NF * 1e6 + 0.5)]++ }
        /Queries sent:/ { print "sent", $3 }
        /Queries completed:/ { print "completed", $3 }
        /Queries lost:/ { print "lost", $3 }
        /Response codes:/ { for (at = 3; at < NF; at += 3) print "rcode", $at, $(at + 1) }
        END { for (micros in took) print "took", micros, took[micros] }'
}

report() {
    sort -k1,1 -k2,2n | awk -v cpu="$1" -v resident="$2" -v lines="$3" '
        $1 == "rcode" { rcode[$2] += $3; next }
        $1 != "took" { sum[$1] += $2; next }
        { at[++kinds] = $2; took[kinds] = $3; all += $3; total += $2 * $3 }
        function below(share, kind, seen) {
            for (kind = 1; kind <= kinds; kind++) { seen += took[kind]; if (seen >= share * all) return at[kind] / 1000 }
        }
        END {
            printf "  queries   %d sent, %d completed, %d lost\n", sum["sent"], sum["completed"], sum["lost"]
            printf "  answers  "
            for (code in rcode) printf " %s %d", code, rcode[code]
            printf "\n  latency   average %.3f ms, min %.3f, p50 %.3f, p99 %.3f, p99.9 %.3f, max %.3f\n", \
                total / all / 1000, at[1] / 1000, below(0.5), below(0.99), below(0.999), at[kinds] / 1000
            printf "  server    %.1f µs CPU a query, %d MB resident, %d lines of query log\n", \
                cpu / 1000 / sum["completed"], resident, lines
            exit sum["lost"] > 0
        }'
}

work= children=() started= port=

# A directory and a network of our own.
open_workplace() {
    work=$(mktemp -d)
    trap close_workplace EXIT
    trap 'exit 130' INT TERM
    PATH=$PATH:/usr/sbin
    ip link set lo up
}

close_workplace() {
    local child
    for child in "${children[@]}"; do finish "$child"; done
    rm -rf "$work"
}

# start LABEL CORE COMMAND…: runs it in the background, on one core; `started` is its process.
start() {
    local label=$1 core=$2
    shift 2
    taskset -c "$core" "$@" >"$work/$label.out" 2>&1 &
    started=$!
    children+=("$started")
}

# Ends a process of ours, if it has not ended.
finish() {
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}

# Nanoseconds of CPU that a process has used, all threads.
cpu_of() {
    cat /proc/"$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum }'
}

# until_answered ADDRESS PORT NAME [SOURCE]
until_answered() {
    local tries source=${4:+-b $4}
    for ((tries = 0; tries < 100; tries++)); do
        # shellcheck disable=SC2086
        if dig $source @"$1" -p "$2" "$3" A +tries=1 +timeout=1 2>/dev/null | grep -q 'status: NOERROR'; then
            return 0
        fi
        sleep 0.1
    done
    echo "no answer from $1 port $2" >&2
    tail -n 20 "$work"/*.out >&2
    exit 1
}

# ---- The network of the shipped configuration -------------------------------------------------------------------------

# The addresses of Kakehashi, and BIND as the lab has it in the place of the domain controllers and of AmazonProvidedDNS.
start_network() {
    local address
    for address in 10.150.20.{10,11,20,21} 192.168.1.{10,11,12} 169.254.169.253; do
        ip address add "$address/32" dev lo
    done
    start_bind dc "192.168.1.10; 192.168.1.11; 192.168.1.12;"
    start_bind amazon "169.254.169.253;"
    until_answered 192.168.1.10 53 dc01.technova.local
    until_answered 169.254.169.253 53 www.example.com
}

start_bind() {
    cp -r "tests/lab/peers/$1" "$work/$1"
    # Of its own on these addresses only, and without a query log: here it is the load, not the proof.
    sed -i "s|listen-on { any; }|listen-on { $2 }|; s|category queries { queries; };|category queries { null; };|" \
        "$work/$1/named.conf"
    # A copy of the program: AppArmor confines /usr/sbin/named to /etc/bind where it is enabled.
    cp "$(command -v named)" "$work/$1/named"
    (cd "$work/$1" && exec taskset -c 1 ./named -f -4 -n 1 -L named.log -c named.conf) >"$work/$1.out" 2>&1 &
    children+=($!)
}

main "$@"
