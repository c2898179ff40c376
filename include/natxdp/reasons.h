/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every way out of the packet path has one reason. The reason is the counter
 * (packets and bytes), the name in `natxdp stats`, and the text in the manual:
 * this list is the only one. Counters go on over an upgrade, so a new reason
 * or event stands at the end of its list, and one that is no more keeps its
 * place.
 *
 * NATXDP_REASON(enumerator, verdict, name, text)
 * verdict: FORWARD (translated and sent), PASS (left to the kernel), DROP,
 * REPLY (dropped, and an answer went back to the sender).
 */
#ifndef NATXDP_REASONS_H
#define NATXDP_REASONS_H

/* clang-format off */
#define NATXDP_REASONS(X)                                                                       \
	X(OUT_FORWARDED, FORWARD, "out_forwarded", "translated and sent to the outside")        \
	X(IN_FORWARDED, FORWARD, "in_forwarded", "translated back and sent to the inside")      \
	X(OUT_VIA_KERNEL, PASS, "out_via_kernel",                                               \
	  "translated, then left to the kernel, which resolves the next hop")                   \
	X(IN_VIA_KERNEL, PASS, "in_via_kernel",                                                 \
	  "translated back, then left to the kernel, which resolves the next hop")              \
	X(PASS_NOT_IPV4, PASS, "pass_not_ipv4", "ARP, IPv6 or another protocol than IPv4")      \
	X(PASS_NOT_UNICAST, PASS, "pass_not_unicast", "multicast or broadcast")                 \
	X(PASS_HOST, PASS, "pass_host", "for this host itself")                                 \
	X(PASS_NO_NAT, PASS, "pass_no_nat", "to a destination that is not translated")          \
	X(DROP_INACTIVE, DROP, "drop_inactive", "the NAT is still being loaded")                \
	X(DROP_MALFORMED, DROP, "drop_malformed", "the IPv4 or transport header is broken")     \
	X(DROP_CHECKSUM, DROP, "drop_checksum", "ICMP error with a wrong checksum")             \
	X(DROP_FRAGMENT, DROP, "drop_fragment", "IP fragment whose first one did not come before") \
	X(HELD_FRAGMENT, DROP, "held_fragment",                                                 \
	  "IP fragment before the first one: held, and sent through again when that has come")  \
	X(DROP_OVERLAP, DROP, "drop_overlap", "IP fragment that overlaps another one")          \
	X(DROP_PROTOCOL, DROP, "drop_protocol", "a protocol that is not translated")                    \
	X(DROP_UNSOLICITED, DROP, "drop_unsolicited", "nobody has asked for it: no flow, no mapping, no socket of the host") \
	X(DROP_SOURCE, DROP, "drop_source", "from a source that is not inside: not ours to translate") \
	X(DROP_NO_ROUTE, DROP, "drop_no_route", "no route to the destination by an interface of the NAT") \
	X(DROP_NO_PORT, DROP, "drop_no_port", "no external port left, and answers are limited")     \
	X(DROP_TABLE_FULL, DROP, "drop_table_full", "the flow table has no room for the flow")  \
	X(DROP_NEXT_HOPS, DROP, "drop_next_hops", "all next hops that can be remembered are in use")     \
	X(DROP_MIDSTREAM, DROP, "drop_midstream", "TCP segment or echo reply of a connection that is not known") \
	X(DROP_BLOCKED, DROP, "drop_blocked", "from or to an inside address on the block list") \
	X(DROP_LIMIT, DROP, "drop_limit", "the inside address has all the flows it may have")   \
	X(DROP_RATE, DROP, "drop_rate", "the inside address opens flows too fast")              \
	X(DROP_HOSTS, DROP, "drop_hosts", "more inside addresses than limits are kept for")     \
	X(DROP_MARTIAN, DROP, "drop_martian", "a source or destination that no packet may have") \
	X(DROP_ICMP, DROP, "drop_icmp", "ICMP error about a flow that is not known")            \
	X(DROP_TTL, DROP, "drop_ttl", "TTL used up, and answers are limited")                   \
	X(DROP_TOO_BIG, DROP, "drop_too_big", "larger than the way on, and answers are limited") \
	X(DROP_RACE, DROP, "drop_race", "another CPU changed the mapping of this flow just then") \
	X(DROP_NO_DEVICE, DROP, "drop_no_device", "the interface of the next hop is gone")      \
	X(DROP_INTERNAL, DROP, "drop_internal", "a map or helper failed: a bug, please report")  \
	X(REPLY_TTL, REPLY, "reply_ttl", "TTL used up: answered with ICMP time exceeded")       \
	X(REPLY_TOO_BIG, REPLY, "reply_too_big",                                                \
	  "larger than the way on: answered with ICMP fragmentation needed")                    \
	X(REPLY_NO_PORT, REPLY, "reply_no_port",                                                \
	  "no external port left for this destination: answered with ICMP 3/13")                \
	X(REPLY_RST, REPLY, "reply_rst",                                                        \
	  "TCP segment of an expired or unknown connection: answered with RST")                 \
	X(DROP_GENEVE, DROP, "drop_geneve", "the GENEVE header, or the IP or UDP header before it, is broken") \
	X(DROP_GENEVE_OPTION, DROP, "drop_geneve_option",                                       \
	  "GENEVE without the options of a Gateway Load Balancer, or with a critical one that is not known") \
	X(DROP_GENEVE_SOURCE, DROP, "drop_geneve_source",                                       \
	  "GENEVE not from a load balancer in gwlb_sources, or not to an address of this host") \
	X(DROP_TUNNELS, DROP, "drop_tunnels", "more endpoints of load balancers than can be remembered") \
	X(DROP_INNER, DROP, "drop_inner", "came from a load balancer, and is nothing to translate") \
	X(DROP_INNER_IPV6, DROP, "drop_inner_ipv6", "IPv6 from a load balancer")               \
	X(RETURNED, REPLY, "returned", "not to be translated: back to the load balancer as it came") \
	X(DROP_DETACHED, DROP, "drop_detached",                                                 \
	  "to be translated, but the program that does it was not on the interface")           \
	X(DROP_MERGED, DROP, "drop_merged",                                                     \
	  "GENEVE, or to be put into it, that GRO has merged or an offload has marked: nobody could take it apart")

enum natxdp_reason {
#define X(id, verdict, name, text) NATXDP_##id,
	NATXDP_REASONS(X)
#undef X
	NATXDP_REASON_COUNT,
};
/* clang-format on */

/* Events that are not the end of a packet: NATXDP_EVENT(enumerator, name, text) */
/* clang-format off */
#define NATXDP_EVENTS(X)                                                          \
	X(FLOWS_OPENED, "flows_opened", "flows inserted")                         \
	X(FLOWS_EXPIRED, "flows_expired", "flows removed because they were idle") \
	X(ERRORS_TRANSLATED, "errors_translated", "ICMP errors sent on, which count for no flow") \
	X(PORT_TRIES, "port_tries", "external ports tried for new flows")         \
	X(NEXT_HOP_LOOKUPS, "next_hop_lookups", "route lookups for flows")        \
	X(SWEEP_PASSES, "sweep_passes", "sweeps of the whole flow table")         \
	X(TCP_ATTEMPTS, "tcp_attempts", "TCP connections begun")                  \
	X(TCP_ESTABLISHED, "tcp_established", "TCP handshakes completed")         \
	X(IDLE_TIMEOUTS, "idle_timeouts",                                         \
	  "established TCP flows removed because they were idle")                 \
	X(RECORDS_WRITTEN, "records_written", "flow records handed to the agent") \
	X(RECORDS_LOST, "records_lost", "flow records for which the agent had no room") \
	X(FLOWS_INSERTED, "flows_inserted", "flows taken over from another NAT")

enum natxdp_event {
#define X(id, name, text) NATXDP_EVENT_##id,
	NATXDP_EVENTS(X)
#undef X
	NATXDP_EVENT_COUNT,
};
/* clang-format on */

/* Room for those to come, so that they do not change the layout. */
enum { NATXDP_REASONS_MAX = 64, NATXDP_EVENTS_MAX = 32 };

/* One a CPU (map counters, BPF_MAP_TYPE_PERCPU_ARRAY, one element). */
struct natxdp_counters {
	__u64 packets[NATXDP_REASONS_MAX];
	__u64 bytes[NATXDP_REASONS_MAX]; /* IP bytes; frame bytes where there is no IPv4 */
	__u64 events[NATXDP_EVENTS_MAX];
};

_Static_assert((int)NATXDP_REASON_COUNT <= (int)NATXDP_REASONS_MAX, "room for reasons");
_Static_assert((int)NATXDP_EVENT_COUNT <= (int)NATXDP_EVENTS_MAX, "room for events");

#endif
