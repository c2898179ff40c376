#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# demo.sh: a client, a NAT and a server on this machine, in network namespaces,
# and real TCP, UDP and ICMP through natxdp. Everything is removed at the end.
#
#   ARMS=2  client --- (eth1) NAT (eth0) --- server                  (default)
#   ARMS=1  client --- router --- server, and the NAT on a stick at the router
#   KEEP=1  leave it up: a shell in the client, or without a terminal the
#           commands to use it and to remove it
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
natxdp=$top/build/natxdp
arms=${ARMS:-2}
keep=${KEEP:-}

# Names of this run only, so that two can run at a time.
client=natxdp-client-$$
router=natxdp-router-$$
nat=natxdp-nat-$$
server=natxdp-server-$$
pins=/sys/fs/bpf/natxdp-demo-$$
scratch=

client_addr=10.77.0.2
external_addr=203.0.113.1
http_port=8080
udp_port=9000

heading()
{
	if [[ -t 1 ]]; then
		printf '\n\033[1m== %s\033[0m\n' "$*"
	else
		printf '\n== %s\n' "$*"
	fi
}

die()
{
	echo "demo: $*" >&2
	exit 1
}

# Runs a command in the network of a namespace, and in nothing else of it: `ip
# netns exec` would mount another /sys, where pinned BPF objects are not seen.
in_ns()
{
	nsenter --net="/run/netns/$1" "${@:2}"
}

remove_all()
{
	local ns

	for ns in "$nat" "$client" "$server" "$router"; do
		[[ -e /run/netns/$ns ]] || continue
		if [[ $ns == "$nat" && -x $natxdp ]]; then
			in_ns "$nat" "$natxdp" unload --all --pin-dir "$pins" >/dev/null 2>&1 || true
		fi
		ip netns pids "$ns" 2>/dev/null | xargs -r kill 2>/dev/null || true
		ip netns del "$ns" 2>/dev/null || true
	done
	rm -rf "$pins" "$scratch" "/run/natxdp/${pins##*/}".*
}

cleanup()
{
	local status=$?

	trap - EXIT
	if [[ $status != 0 ]]; then
		echo "demo: FAILED" >&2
		[[ ! -s $scratch/log ]] || cat "$scratch/log" >&2
	fi
	remove_all
	exit "$status"
}

# Waits until the command succeeds, five seconds at most.
wait_for()
{
	local deadline=$((SECONDS + 5))

	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || die "waited in vain for: $*"
		sleep 0.05
	done
}

# link NS_A DEV_A ADDR_A NS_B DEV_B ADDR_B: two namespaces and a cable.
link()
{
	ip link add "$2" netns "$1" type veth peer name "$5" netns "$4"
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$4" addr add "$6" dev "$5"
	ip -n "$1" link set "$2" up
	ip -n "$4" link set "$5" up
}

# A host at the end of a cable.
#
# tx off: veth hands packets over with the checksum not yet computed, in the
# hope that nobody needs it. A NIC never does that, and a NAT that adjusts
# checksums needs real ones.
#
# gro on: a packet that XDP sends into a veth is taken by the NAPI of the other
# end, and veth has a NAPI only under GRO or an XDP program of its own.
host_nic()
{
	in_ns "$1" ethtool -K "$2" tx off gro on >/dev/null
}

make_namespaces()
{
	local ns

	for ns; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
	done
}

build_two_armed()
{
	make_namespaces "$client" "$nat" "$server"
	link "$client" eth0 "$client_addr/24" "$nat" eth1 10.77.0.1/24
	link "$nat" eth0 "$external_addr/24" "$server" eth0 203.0.113.2/24
	ip -n "$client" route add default via 10.77.0.1
	host_nic "$client" eth0
	host_nic "$server" eth0
	server_addr=203.0.113.2
	load_options=(--inside eth1)
	cat <<END
   client               NAT                     server
   $client_addr -- eth1 [natxdp] eth0 -- 203.0.113.2
               10.77.0.1   $external_addr
END
}

# As in a VPC: the router sends what comes from the client to the NAT, and the
# NAT sends it back out of the interface by which it came.
build_one_armed()
{
	make_namespaces "$client" "$router" "$nat" "$server"
	link "$client" eth0 "$client_addr/24" "$router" client 10.77.0.1/24
	link "$router" server 198.51.100.1/24 "$server" eth0 198.51.100.2/24
	link "$router" nat 203.0.113.2/24 "$nat" eth0 "$external_addr/24"
	ip -n "$client" route add default via 10.77.0.1
	# only to the NAT: what is not translated gets no answer
	ip -n "$server" route add "$external_addr/32" via 198.51.100.1
	ip -n "$nat" route add default via 203.0.113.2
	in_ns "$router" sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.nat.send_redirects=0
	ip -n "$router" route add default via "$external_addr" table 100
	ip -n "$router" rule add iif client lookup 100
	host_nic "$client" eth0
	host_nic "$server" eth0
	# The router's end is the peer of the NAT. For XDP_TX, which sends back out
	# of the same interface, veth wants a whole XDP program there, not only GRO.
	in_ns "$router" "$top/build/selftests/net/xdp_pass" nat
	server_addr=198.51.100.2
	load_options=()
	cat <<END
   client         router          server
   $client_addr -- [routes] -- 198.51.100.2
                    |
                    eth0 $external_addr
                  [natxdp]
END
}

# Not `python3 -m http.server`: that looks up its own name, and waits for a DNS
# server that cannot be reached from here.
start_servers()
{
	mkdir "$scratch/www"
	head -c 20000000 /dev/urandom >"$scratch/www/file"
	(
		cd "$scratch/www"
		exec nsenter --net="/run/netns/$server" python3 - "$http_port" "$udp_port"
	) >"$scratch/log" 2>&1 <<'END' &
import http.server
import socket
import socketserver
import sys
import threading

http_port, udp_port = map(int, sys.argv[1:])
web = socketserver.ThreadingTCPServer(("", http_port), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=web.serve_forever).start()
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("", udp_port))
while True:
    data, (address, port) = echo.recvfrom(2048)
    echo.sendto(b"%s, seen from %s" % (data, address.encode()), (address, port))
END
	wait_for listens "$http_port" -t
	wait_for listens "$udp_port" -u
}

listens()
{
	in_ns "$server" ss -H -l -n "$2" "sport = :$1" | grep -q .
}

run_tcp()
{
	local sent got seen

	in_ns "$client" curl -sS -f --max-time 60 -o "$scratch/copy" \
		-w '%{size_download} bytes in %{time_total} s over TCP\n' \
		"http://$server_addr:$http_port/file"
	sent=$(sha256sum <"$scratch/www/file")
	got=$(sha256sum <"$scratch/copy")
	[[ $sent == "$got" ]] || die "the file was damaged on the way"
	echo "sha256 at both ends: ${got:0:16}..."
	seen=$(awk '/GET \/file/ { print $1; exit }' "$scratch/log")
	echo "the server saw the client as: $seen"
	[[ $seen == "$external_addr" ]] || die "it should have been $external_addr"
}

run_udp()
{
	local answer

	answer=$(in_ns "$client" python3 - "$server_addr" "$udp_port" <<'END'
import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(5)
client.connect((sys.argv[1], int(sys.argv[2])))
for number in range(1, 6):
    text = b"datagram %d" % number
    client.send(text)
    answer = client.recv(2048)
    assert answer.startswith(text + b","), answer
print(answer.decode())
END
	)
	echo "the server answered: $answer"
	[[ $answer == *"seen from $external_addr" ]] || die "it should have been $external_addr"
}

show_state()
{
	local name

	heading "natxdp flows"
	in_ns "$nat" "$natxdp" flows --pin-dir "$pins"

	heading "cat $pins/flows"
	tee "$scratch/flows" <"$pins/flows"
	for name in tcp udp icmp; do
		grep -q "^$name .* $external_addr:" "$scratch/flows" || die "no $name flow there"
	done

	heading natxdp stats
	in_ns "$nat" "$natxdp" stats --pin-dir "$pins" | tee "$scratch/stats"
	for name in out_forwarded in_forwarded; do
		grep -q "$name *[1-9]" "$scratch/stats" || die "the counter $name is zero"
	done
}

print_commands()
{
	local ns

	echo "in the client   nsenter --net=/run/netns/$client bash"
	echo "in the NAT      nsenter --net=/run/netns/$nat bash"
	echo "in the server   nsenter --net=/run/netns/$server bash"
	echo "for example     nsenter --net=/run/netns/$client curl http://$server_addr:$http_port/"
	echo "and look        $natxdp flows --pin-dir $pins"
	echo "                $natxdp stats --pin-dir $pins"
	echo "                bpftool map dump pinned $pins/config"
	[[ ${1-} == remove ]] || return 0
	printf 'remove it       nsenter --net=/run/netns/%s %s unload --all --pin-dir %s' \
		"$nat" "$natxdp" "$pins"
	printf '; kill %s; rm -rf %s' "$(ip netns pids "$server" | tr '\n' ' ')" "$pins $scratch"
	for ns in "$client" "$nat" "$server" ${router_used:+"$router"}; do
		printf '; ip netns del %s' "$ns"
	done
	echo
}

# The agent as it runs on a gateway, and some of what it says.
run_agent()
{
	local tries

	printf 'pin_dir = %s\nuser = nobody\nzone = demo\nsample = 1\ninterval = 10\nscan = 1\n' \
		"$pins" >"$scratch/natxdpd.conf"
	in_ns "$nat" "${natxdp}d" -c "$scratch/natxdpd.conf" 2>"$scratch/natxdpd.log" &
	for ((tries = 0; tries < 50; tries++)); do
		in_ns "$nat" curl -sf http://127.0.0.1:9469/metrics >"$scratch/metrics" &&
			grep -q '^natxdp_active_connections' "$scratch/metrics" && break
		sleep 0.2
	done
	grep -E '^natxdp_(flows|active|connection|bytes_|packets_out|healthy)' "$scratch/metrics" || {
		cat "$scratch/natxdpd.log"
		die "the agent does not answer"
	}
	printf '/healthz: %s\n' "$(in_ns "$nat" curl -s http://127.0.0.1:9469/healthz)"
}

leave_up()
{
	if [[ -t 0 ]]; then
		heading "A shell in the client; exit removes everything"
		print_commands
		export NATXDP_PIN_DIR=$pins PATH=$top/build:$PATH
		in_ns "$client" bash || true
		return
	fi
	heading "It stays up"
	print_commands remove
	trap - EXIT
}

[[ $EUID == 0 ]] || die "needs root: sudo make demo"
[[ -x $natxdp ]] || die "$natxdp is not built: make"
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
scratch=$(mktemp -d "${TMPDIR:-/tmp}/natxdp-demo.XXXXXX")

heading "A client, a NAT and a server"
router_used=
case $arms in
1) router_used=1 && build_one_armed ;;
2) build_two_armed ;;
*) die "ARMS is 1 or 2, not $arms" ;;
esac
start_servers

heading natxdp load eth0 "${load_options[@]}"
in_ns "$nat" "$natxdp" load eth0 "${load_options[@]}" --pin-dir "$pins"

heading "TCP: curl http://$server_addr:$http_port/file"
run_tcp

heading "UDP: five datagrams to $server_addr port $udp_port"
run_udp

heading "ICMP: ping $server_addr"
in_ns "$client" ping -q -c 3 -i 0.2 -W 5 "$server_addr" | sed -n '/packets transmitted/p; /^rtt/p'

show_state

heading "The agent: curl localhost:9469/metrics"
run_agent

if [[ -n $keep ]]; then
	leave_up
	exit
fi
heading "More by hand"
cat <<END
sudo make demo KEEP=1    the same, and leaves it up for you
sudo make demo ARMS=1    one-armed: in and out by one interface, as in a VPC
natxdp load eth0         on a machine that others use as their gateway
END
