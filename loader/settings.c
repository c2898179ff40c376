/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "err.h"
#include <natxdp/tunnel.h>

#include "profile.h"

#define FIELD(member) offsetof(struct settings, member)

const struct setting settings_table[] = {
	{ "external", &kind_external, FIELD(external), "auto",
	  "external addresses, each with the ports that it may use; auto is the first IPv4 "
	  "address of the interface with port_range" },
	{ "standby", &kind_standby, FIELD(standby), "none",
	  "external addresses of other zones, and the inside hosts that have them there: they take "
	  "flows of these hosts alone, and only while the agent says so" },
	{ "mode", &kind_mode, FIELD(mode), "routed",
	  "how packets of the inside come here, fixed while loaded: routed by the VPC, or from Gateway "
	  "Load Balancers" },
	{ "inside", &kind_ifaces, FIELD(inside), "none",
	  "interfaces of the inside hosts (two-armed); none is one-armed: one interface is both "
	  "sides" },
	{ "inside_prefixes", &kind_prefixes, FIELD(inside_prefixes),
	  "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10",
	  "source addresses that are translated" },
	{ "no_nat", &kind_prefixes, FIELD(no_nat), "auto",
	  "destinations that are not translated; auto is inside_prefixes" },
	{ "port_range", &kind_port_range, FIELD(port_range), "1024-60999",
	  "external ports for flows" },
	{ "host_ports", &kind_ports, FIELD(host_ports), "22, 68, 61000-65535",
	  "ports that stay with this host, or none; the last range becomes "
	  "net.ipv4.ip_local_port_range" },
	{ "max_flows", &kind_flows, FIELD(max_flows), "262144",
	  "size of the flow table, fixed while loaded; a flow takes about 137 bytes" },
	{ "profile", &kind_profile, FIELD(profile), "aws",
	  "defaults of the other keys: aws behaves as the AWS NAT gateway, rfc as RFC 4787, 5382 and "
	  "5508 ask for" },
	{ "mapping", &kind_mapping, FIELD(mapping), "endpoint-dependent",
	  "does the external port depend on the destination: endpoint-dependent or "
	  "endpoint-independent, for all protocols or as udp:NAME, tcp:NAME, icmp:NAME" },
	{ "filtering", &kind_filtering, FIELD(filtering), "endpoint-dependent",
	  "who may send to an external port in use: endpoint-dependent, address-dependent or "
	  "endpoint-independent, like mapping" },
	{ "pooling", &kind_pooling, FIELD(pooling_arbitrary), "paired",
	  "does an inside host keep its external address" },
	{ "hairpin", &kind_switch, FIELD(hairpin), "off",
	  "may inside hosts reach each other's external ports" },
	{ "inbound_refresh", &kind_switch, FIELD(inbound_refresh), "on",
	  "do packets from the outside keep a flow alive" },
	{ "other_protocols", &kind_others, FIELD(other_protocols), "drop",
	  "what GRE, ESP, SCTP and such get" },
	{ "udp_timeout", &kind_duration, FIELD(timeout_ms[NATXDP_TIMEOUT_UDP]), "350",
	  "how long a UDP flow may be idle" },
	{ "icmp_timeout", &kind_duration, FIELD(timeout_ms[NATXDP_TIMEOUT_ICMP]), "350",
	  "how long an ICMP echo flow may be idle" },
	{ "other_timeout", &kind_duration, FIELD(timeout_ms[NATXDP_TIMEOUT_OTHER]), "350",
	  "how long a flow of another protocol may be idle" },
	{ "tcp_opening_timeout", &kind_duration, FIELD(timeout_ms[NATXDP_TIMEOUT_TCP_OPENING]),
	  "120", "how long a TCP flow may be idle until its handshake is done" },
	{ "tcp_established_timeout", &kind_duration,
	  FIELD(timeout_ms[NATXDP_TIMEOUT_TCP_ESTABLISHED]), "350",
	  "how long an established TCP flow may be idle" },
	{ "tcp_closing_timeout", &kind_duration, FIELD(timeout_ms[NATXDP_TIMEOUT_TCP_CLOSING]),
	  "60", "how long a closed or reset TCP flow stays" },
	{ "tcp_midstream", &kind_midstream, FIELD(tcp_midstream), "reset",
	  "what a TCP segment gets that is no SYN and has no flow: an answer with RST, a flow, or "
	  "nothing" },
	{ "mss_clamp", &kind_size, FIELD(mss_clamp), "off",
	  "largest TCP segment that a SYN may ask for; auto is egress_mtu less 40" },
	{ "egress_mtu", &kind_size, FIELD(egress_mtu), "auto",
	  "largest IP packet on the way out; auto is the MTU of the outside interface, at most "
	  "1500" },
	{ "limit_flows", &kind_limit, FIELD(limit_flows), "0",
	  "flows that one inside address may have; 0 is no limit" },
	{ "limit_rate", &kind_limit, FIELD(limit_rate), "0",
	  "new flows a second of one inside address; 0 is no limit" },
	{ "gwlb_sources", &kind_prefixes, FIELD(gwlb_sources),
	  "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10",
	  "mode gwlb: addresses of load balancers; from others no GENEVE is taken" },
	{ "gwlb_ipv6", &kind_gwlb_ipv6, FIELD(gwlb_ipv6), "drop",
	  "mode gwlb: what IPv6 packets get: drop, or return to the load balancer as they came" },
	{ "hook", &kind_hook, FIELD(hook), "xdp",
	  "where packets are translated: xdp in the driver, tc behind it on any interface, auto is "
	  "native XDP where the interfaces can and else tc" },
	{ "xdp_mode", &kind_xdp_mode, FIELD(xdp_mode), "native",
	  "native runs in the driver; generic runs in the kernel's slow path on any driver" },
	{ "dispatcher", &kind_flag, FIELD(dispatcher), "off",
	  "attach by the dispatcher of libxdp, beside xdp-filter, xdpdump and other XDP programs; "
	  "off is a link of its own, which is faster" },
	{ "record_buffer", &kind_bytes, FIELD(record_buffer), "512K",
	  "room for flow records on their way to the agent, fixed while loaded; a power of two" },
	{ "pin_dir", &kind_path, FIELD(pin_dir), "/sys/fs/bpf/natxdp",
	  "where maps and links are pinned (on bpffs)" },
	{ NULL, NULL, 0, NULL, NULL },
};

void *settings_field(struct settings *settings, const struct setting *setting)
{
	return (char *)settings + setting->offset;
}

bool settings_given(const struct settings *settings, const struct setting *setting)
{
	return settings->given >> (setting - settings_table) & 1;
}

static struct keys keys_of(struct settings *settings)
{
	struct keys keys = {
		.table = settings_table,
		.fields = settings,
		.size = sizeof(*settings),
		.given = &settings->given,
		.manual = "natxdp.conf(5)",
	};

	return keys;
}

const struct setting *settings_find(const char *key)
{
	return keys_find(settings_table, key);
}

void settings_init(struct settings *settings)
{
	struct keys keys = keys_of(settings);

	keys_init(&keys);
}

int settings_set(struct settings *settings, const struct setting *setting, const char *text,
		 const char *source, struct err *err)
{
	struct keys keys = keys_of(settings);

	return keys_set(&keys, setting, text, source, err);
}

int settings_read(struct settings *settings, const char *path, const char *only, struct err *err)
{
	struct keys keys = keys_of(settings);

	return keys_read(&keys, path, only, err);
}

const struct prefix_list *settings_no_nat(const struct settings *settings)
{
	return settings->no_nat.automatic ? &settings->inside_prefixes : &settings->no_nat;
}

void settings_host_ports(const struct settings *settings, struct natxdp_host_ports *bitmap)
{
	memset(bitmap, 0, sizeof(*bitmap));
	for (unsigned int i = 0; i < settings->host_ports.count; i++) {
		const struct port_range *r = &settings->host_ports.range[i];

		for (unsigned int port = r->min; port <= r->max; port++)
			bitmap->word[port / 64] |= 1ull << (port % 64);
	}
	if (settings->mode == MODE_GWLB)
		bitmap->word[NATXDP_GENEVE_PORT / 64] |= 1ull << (NATXDP_GENEVE_PORT % 64);
}

static int check_ports(const struct natxdp_host_ports *host, const struct port_range *ports,
		       const char *what, struct err *err)
{
	for (unsigned int port = ports->min; port <= ports->max; port++) {
		if (!(host->word[port / 64] >> (port % 64) & 1))
			return 0;
	}
	return err_set(err, STATUS_CONFIG, EINVAL,
		       "%s = %u-%u: host_ports keeps all of these for the host: leave some for flows",
		       what, ports->min, ports->max);
}

static int check_standby(const struct settings *settings, const struct external *standby,
			 const struct natxdp_host_ports *host, struct err *err)
{
	char addr[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &standby->addr, addr, sizeof(addr));
	for (unsigned int i = 0; i < settings->external.count; i++) {
		if (settings->external.item[i].addr == standby->addr)
			return err_set(err, STATUS_CONFIG, EINVAL,
				       "standby: %s: named in external, too: an address is of this "
				       "zone or of another",
				       addr);
	}
	if (settings->external.count + settings->standby.count > NATXDP_POOL_MAX)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "external and standby: more than %d addresses together",
			       NATXDP_POOL_MAX);
	return standby->has_ports ? check_ports(host, &standby->ports, "standby", err) : 0;
}

/*
 * A load balancer takes from us only what answers its own flows: nobody outside, and no other
 * inside host, can be the first to send.
 */
static int check_gwlb(const struct settings *settings, struct err *err)
{
	const char *other = NULL;

	for (int class = 0; class < NATXDP_CLASSES; class ++) {
		if (settings->mapping.value[class])
			other = "mapping = endpoint-dependent";
	}
	if (settings->hairpin)
		other = "hairpin = off";
	if (settings->standby.count)
		other = "standby = none";
	if (other)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "mode = gwlb: what stands against it is not done behind a load "
			       "balancer: set %s",
			       other);
	if (!settings->gwlb_sources.count || settings->gwlb_sources.count > NATXDP_TUNNEL_SOURCES)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "gwlb_sources: %u prefixes: give 1 to %d, from which load balancers "
			       "may send",
			       settings->gwlb_sources.count, NATXDP_TUNNEL_SOURCES);
	return 0;
}

int settings_check(const struct settings *settings, struct err *err)
{
	struct natxdp_host_ports host;
	int ret;

	if (!settings->inside_prefixes.count)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "inside_prefixes: empty: nothing would be translated: give at least "
			       "one prefix");
	settings_host_ports(settings, &host);
	ret = check_ports(&host, &settings->port_range, "port_range", err);
	for (unsigned int i = 0; !ret && i < settings->external.count; i++) {
		if (settings->external.item[i].has_ports)
			ret = check_ports(&host, &settings->external.item[i].ports, "external",
					  err);
	}
	for (unsigned int i = 0; !ret && i < settings->standby.count; i++)
		ret = check_standby(settings, &settings->standby.item[i].external, &host, err);
	if (!ret && settings->hook == HOOK_CHOICE_TC &&
	    (settings->dispatcher || settings->xdp_mode == XDP_MODE_GENERIC))
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "hook = tc: %s is about XDP: leave one of the two out",
			       settings->dispatcher ? "dispatcher" : "xdp_mode");
	if (!ret && settings->mode == MODE_GWLB)
		ret = check_gwlb(settings, err);
	return ret ? ret : profile_check(settings, err);
}

void settings_print(const struct settings *settings, FILE *out)
{
	struct settings copy = *settings;
	struct keys keys = keys_of(&copy);

	keys_print(&keys, out);
}

uint32_t settings_ticks(uint32_t ms)
{
	uint64_t ns = (uint64_t)ms * 1000000;

	return (ns + (1u << NATXDP_TICK_SHIFT) - 1) >> NATXDP_TICK_SHIFT;
}
