# The parts of bench/run: a workplace that cleans up after itself, the stand-ins, the servers to compare.

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

# ---- The servers of the table -----------------------------------------------------------------------------------------

# Every name below bench.example has an address.
start_authority() {
    cat >"$work/nsd.conf" <<END
server:
    ip-address: 127.0.0.1@5353
    server-count: 1
    zonesdir: "$work"
    database: ""
    username: ""
    pidfile: "$work/nsd.pid"
    zonelistfile: "$work/nsd.list"
    xfrdfile: "$work/nsd.xfrd"
    rrl-ratelimit: 0
zone:
    name: "bench.example"
    zonefile: "bench.zone"
remote-control:
    control-enable: no
END
    cat >"$work/bench.zone" <<END
\$ORIGIN bench.example.
\$TTL 3600
@ IN SOA ns hostmaster 1 7200 900 1209600 3600
@ IN NS ns
ns IN A 127.0.0.1
* IN A 192.0.2.1
END
    start nsd 1 nsd -d -c "$work/nsd.conf"
    until_answered 127.0.0.1 5353 a.bench.example
}

serve_echo() {
    port=5300
    start echo 0 target/release/examples/echo 127.0.0.1:5300
    until_answered 127.0.0.1 5300 a.bench.example
}

serve_kakehashi() { serve_kakehashi_with off; }
serve_kakehashi-log() { serve_kakehashi_with "$work/query.log"; }

serve_kakehashi_with() {
    port=5301
    rm -f "$work/query.log"
    cat >"$work/kakehashi.toml" <<END
[listen]
dns = ["127.0.0.1:5301"]
[query-log]
to = "$1"
[[network]]
name = "loopback"
cidr = ["127.0.0.0/8"]
groups = ["bench"]
[[upstream]]
name = "authority"
servers = ["127.0.0.1:5353"]
health-check = "off"
[[rule]]
domain = "."
forward = "authority"
visible-to = ["bench"]
END
    start kakehashi 0 target/release/kakehashi serve --config "$work/kakehashi.toml"
    until_answered 127.0.0.1 5301 a.bench.example
}

serve_dnsdist() {
    port=5302
    cat >"$work/dnsdist.conf" <<END
setLocal("127.0.0.1:5302")
setACL("127.0.0.0/8")
setSecurityPollSuffix("")
setUDPMultipleMessagesVectorSize(64)
newServer({address = "127.0.0.1:5353", checkName = "a.bench.example.", sockets = 16})
getPool(""):setCache(newPacketCache(500000, {maxTTL = 300}))
END
    start dnsdist 0 dnsdist --supervised --disable-syslog -C "$work/dnsdist.conf"
    until_answered 127.0.0.1 5302 a.bench.example
}

serve_unbound() {
    port=5303
    cat >"$work/unbound.conf" <<END
server:
    interface: 127.0.0.1@5303
    access-control: 127.0.0.0/8 allow
    do-not-query-localhost: no
    num-threads: 1
    module-config: "iterator"
    msg-cache-size: 128m
    rrset-cache-size: 256m
    outgoing-range: 4096
    num-queries-per-thread: 2048
    so-rcvbuf: 4m
    so-sndbuf: 4m
    do-daemonize: no
    use-syslog: no
    logfile: ""
    chroot: ""
    username: ""
    directory: "$work"
    pidfile: ""
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@5353
END
    start unbound 0 unbound -d -c "$work/unbound.conf"
    until_answered 127.0.0.1 5303 a.bench.example
}
