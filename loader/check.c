/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "nicrules.h"
#include "settings.h"

/* An internet gateway takes 1500 bytes; rings of fewer frames lose bursts of them. */
enum { RX_RING_WANTED = 1024 };

static const char *const level_names[] = {
	[LEVEL_OK] = "ok",   [LEVEL_LOAD] = "load", [LEVEL_WARN] = "warn",
	[LEVEL_FIX] = "fix", [LEVEL_FAIL] = "fail",
};

const char *level_name(enum level level)
{
	return level_names[level];
}

enum exit_status findings_status(const struct findings *findings)
{
	for (unsigned int i = 0; i < findings->count; i++) {
		if (findings->item[i].level >= LEVEL_FIX)
			return findings->item[i].cause;
	}
	return STATUS_OK;
}

static struct finding *add(struct findings *findings, enum level level, enum exit_status cause,
			   const char *name)
{
	struct finding *finding = &findings->item[findings->count];

	if (findings->count < FINDINGS_MAX - 1)
		findings->count++;
	memset(finding, 0, sizeof(*finding));
	snprintf(finding->name, sizeof(finding->name), "%s", name);
	finding->level = level;
	finding->cause = cause;
	return finding;
}

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

static void judge_kernel(const struct facts *facts, struct findings *findings)
{
	bool recent = version_parse(facts->release) >= VERSION(6, 1, 0);
	struct finding *f;

	f = add(findings, recent ? LEVEL_OK : LEVEL_FAIL, STATUS_KERNEL, "kernel");
	SAY(f->found, "Linux %s", facts->release);
	SAY(f->needed, "Linux 6.1 or newer");
	if (!recent)
		SAY(f->mend, "boot a newer kernel");
	f = add(findings, facts->btf ? LEVEL_OK : LEVEL_FAIL, STATUS_KERNEL, "btf");
	SAY(f->found, facts->btf ? "/sys/kernel/btf/vmlinux" : "none");
	SAY(f->needed, "a kernel with CONFIG_DEBUG_INFO_BTF");
	if (!facts->btf)
		SAY(f->mend, "boot a kernel of the distribution, which has it");
	f = add(findings, facts->permitted ? LEVEL_OK : LEVEL_FAIL, STATUS_PERMISSION,
		"capabilities");
	SAY(f->found, facts->permitted ? "enough" : "not enough");
	SAY(f->needed, "CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN");
	if (!facts->permitted)
		SAY(f->mend, "run natxdp as root");
	f = add(findings, recent ? LEVEL_OK : LEVEL_WARN, STATUS_PERMISSION, "memlock");
	/* since 5.11 the memory of maps is counted to the cgroup */
	SAY(f->found, recent ? "not counted by this kernel" : "counted by this kernel");
	SAY(f->needed, "maps do not count as locked memory (Linux 5.11)");
	f = add(findings, facts->bpffs ? LEVEL_OK : LEVEL_LOAD, STATUS_KERNEL, "bpffs");
	SAY(f->found, facts->bpffs ? "/sys/fs/bpf" : "not mounted");
	SAY(f->needed, "a bpf file system at /sys/fs/bpf");
	if (!facts->bpffs)
		SAY(f->mend, "mount -t bpf bpf /sys/fs/bpf");
}

static struct finding *add_nic(struct findings *findings, enum level level, enum exit_status cause,
			       const struct nic_facts *nic, const char *what)
{
	char name[FINDING_NAME_MAX];

	snprintf(name, sizeof(name), "%s %s", nic->name, what);
	return add(findings, level, cause, name);
}

static void judge_driver(const struct nic_facts *nic, const struct nic_rule *rule,
			 struct findings *findings)
{
	enum level level = rule->refuse ? LEVEL_FAIL : rule->advice ? LEVEL_WARN : LEVEL_OK;
	struct finding *f = add_nic(findings, level, STATUS_KERNEL, nic, "driver");

	SAY(f->found, "%s %s", *nic->driver ? nic->driver : "unknown", nic->version);
	SAY(f->needed, "a driver that runs XDP");
	if (rule->refuse || rule->advice)
		SAY(f->mend, "%s", rule->refuse ? rule->refuse : rule->advice);
}

static void judge_limits(const struct nic_facts *nic, const struct nic_rule *rule, bool pieces,
			 struct findings *findings)
{
	uint32_t mtu_max = nic_mtu_max(rule, pieces);
	struct nic_wants wants;
	struct finding *f;

	nic_wants(nic, rule, pieces, &wants);
	f = add_nic(findings, wants.mtu ? LEVEL_FIX : LEVEL_OK, STATUS_INTERFACE, nic, "mtu");
	SAY(f->found, "%u", nic->mtu);
	if (mtu_max)
		SAY(f->needed, "at most %u with XDP", mtu_max);
	else
		SAY(f->needed, "any");
	if (wants.mtu)
		SAY(f->mend, "ip link set dev %s mtu %u", nic->name, wants.mtu);
	if (rule->half_queues) {
		bool too_few = nic->queues_max < 2;

		f = add_nic(findings,
			    wants.queues ? LEVEL_FIX :
			    too_few	 ? LEVEL_FAIL :
					   LEVEL_OK,
			    STATUS_INTERFACE, nic, "queues");
		SAY(f->found, "%u of %u", nic->queues, nic->queues_max);
		SAY(f->needed, "at most half of them: XDP sends by the others");
		if (wants.queues)
			SAY(f->mend, "ethtool -L %s combined %u", nic->name, wants.queues);
		else if (too_few)
			SAY(f->mend, "take an instance with more than one queue");
	} else if (nic->queues) {
		f = add_nic(findings, LEVEL_OK, STATUS_INTERFACE, nic, "queues");
		SAY(f->found, "%u of %u", nic->queues, nic->queues_max);
		SAY(f->needed, "any");
	}
	if (rule->no_lro) {
		f = add_nic(findings, wants.lro_off ? LEVEL_FIX : LEVEL_OK, STATUS_INTERFACE, nic,
			    "lro");
		SAY(f->found, nic->lro ? "on" : "off");
		SAY(f->needed, "off: XDP sees frames as they came");
		if (wants.lro_off)
			SAY(f->mend, "ethtool -K %s lro off", nic->name);
	}
}

/* What makes it slow, but not wrong. */
static void judge_speed(const struct nic_facts *nic, struct findings *findings)
{
	struct finding *f;
	bool bad;

	if (nic->rx_ring_max) {
		bad = nic->rx_ring < RX_RING_WANTED && nic->rx_ring < nic->rx_ring_max;
		f = add_nic(findings, bad ? LEVEL_WARN : LEVEL_OK, STATUS_OK, nic, "rx ring");
		SAY(f->found, "%u of %u", nic->rx_ring, nic->rx_ring_max);
		SAY(f->needed, "%d or more, for bursts", RX_RING_WANTED);
		if (bad)
			SAY(f->mend, "ethtool -G %s rx %u", nic->name,
			    nic->rx_ring_max < RX_RING_WANTED ? nic->rx_ring_max : RX_RING_WANTED);
	}
	if (nic->rss_queues) {
		bad = nic->rss_queues < nic->queues;
		f = add_nic(findings, bad ? LEVEL_WARN : LEVEL_OK, STATUS_OK, nic, "rss");
		SAY(f->found, "spreads over %u of %u queues", nic->rss_queues, nic->queues);
		SAY(f->needed, "all of them");
		if (bad)
			SAY(f->mend, "ethtool -X %s equal %u", nic->name, nic->queues);
	}
	if (nic->irqs) {
		bad = nic->irq_cpus < 2 && nic->cpus > 1 && nic->queues > 1;
		f = add_nic(findings, bad ? LEVEL_WARN : LEVEL_OK, STATUS_OK, nic, "irqs");
		SAY(f->found, "%u on %u of %u CPUs", nic->irqs, nic->irq_cpus, nic->cpus);
		SAY(f->needed, "on several CPUs");
		if (bad)
			SAY(f->mend, "start irqbalance, or write to /proc/irq/N/smp_affinity_list");
	}
}

/* The first one from @first on with which XDP cannot go, or NULL. */
static const struct finding *find_obstacle(const struct findings *findings, unsigned int first)
{
	for (unsigned int i = first; i < findings->count; i++) {
		if (findings->item[i].level >= LEVEL_FIX)
			return &findings->item[i];
	}
	return NULL;
}

/* What native XDP asks of an interface. */
static void judge_xdp(const struct facts *facts, unsigned int i, const struct settings *settings,
		      struct findings *findings)
{
	const struct nic_facts *nic = &facts->nic[i];
	const struct nic_rule *rule = nic_rule_find(nic->driver, nic->version, facts->release);
	struct finding *f;

	/* generic XDP and TC ask the driver for nothing */
	if (settings->xdp_mode == XDP_MODE_NATIVE && settings->hook != HOOK_CHOICE_TC) {
		judge_driver(nic, rule, findings);
		judge_limits(nic, rule, !settings->dispatcher, findings);
	}
	f = add_nic(findings, facts->other_xdp[i] ? LEVEL_FAIL : LEVEL_OK, STATUS_STATE, nic,
		    "other XDP");
	if (facts->other_xdp[i])
		SAY(f->found, "program %u", facts->other_xdp[i]);
	else
		SAY(f->found, "none");
	SAY(f->needed, "none");
	if (facts->other_xdp[i])
		SAY(f->mend, "ip link set dev %s xdp off ('bpftool net' shows whose it is)",
		    nic->name);
}

static bool takes_tc_instead(const struct settings *settings)
{
	return settings->hook == HOOK_CHOICE_AUTO && !settings->dispatcher &&
	       settings->xdp_mode == XDP_MODE_NATIVE;
}

/* Where auto takes TC, what keeps it from XDP keeps nobody from loading. */
static void judge_hook(struct findings *findings, unsigned int first)
{
	const struct finding *obstacle = find_obstacle(findings, first);
	struct finding *f;

	for (unsigned int i = first; i < findings->count; i++) {
		if (findings->item[i].level >= LEVEL_FIX)
			findings->item[i].level = LEVEL_WARN;
	}
	f = add(findings, obstacle ? LEVEL_WARN : LEVEL_OK, STATUS_OK, "hook");
	if (obstacle)
		SAY(f->found, "auto takes tc: %.32s is %.48s", obstacle->name, obstacle->found);
	else
		SAY(f->found, "auto takes xdp");
	SAY(f->needed, "xdp, which is faster for small packets");
	if (obstacle)
		SAY(f->mend, "%s", obstacle->mend);
}

static void judge_nics(const struct facts *facts, const struct settings *settings,
		       struct findings *findings)
{
	unsigned int first;
	struct finding *f;

	for (unsigned int i = 0; i < facts->nic_count; i++) {
		const struct nic_facts *nic = &facts->nic[i];

		f = add_nic(findings, nic->up ? LEVEL_OK : LEVEL_FAIL, STATUS_INTERFACE, nic,
			    "link");
		SAY(f->found, nic->up ? "up" : "down");
		SAY(f->needed, "up");
		if (!nic->up)
			SAY(f->mend, "ip link set dev %s up", nic->name);
		judge_speed(nic, findings);
	}
	first = findings->count;
	for (unsigned int i = 0; i < facts->nic_count; i++)
		judge_xdp(facts, i, settings, findings);
	if (takes_tc_instead(settings))
		judge_hook(findings, first);
}

/* Ranges have a tab between their ends in /proc; sysctl(8) takes a blank as well. */
static void say_value(char *field, size_t size, const char *value)
{
	snprintf(field, size, "%s", value);
	for (char *c = field; *c; c++)
		*c = *c == '\t' ? ' ' : *c;
}

static void judge_sysctls(const struct facts *facts, struct findings *findings)
{
	char value[SYSCTL_VALUE_MAX];
	struct finding *f;

	if (!facts->sysctl_needed.count) {
		f = add(findings, LEVEL_OK, STATUS_OK, "sysctls");
		SAY(f->found, "as needed");
		SAY(f->needed, "ip_forward, accept_local, rp_filter, ip_local_port_range");
	}
	for (unsigned int i = 0; i < facts->sysctl_needed.count; i++) {
		const struct sysctl *needed = &facts->sysctl_needed.item[i];

		f = add(findings, LEVEL_LOAD, STATUS_KERNEL, needed->name);
		say_value(f->found, sizeof(f->found), facts->sysctl_now.item[i].value);
		say_value(value, sizeof(value), needed->value);
		SAY(f->needed, "%s", value);
		SAY(f->mend, "sysctl -w %s='%s'", needed->name, value);
	}
}

static bool is_given_to_flows(const struct settings *settings, uint16_t port)
{
	const struct external_list *list = &settings->external;
	bool in_pool = !list->count && port >= settings->port_range.min &&
		       port <= settings->port_range.max;

	for (unsigned int i = 0; i < list->count; i++) {
		const struct port_range *range = list->item[i].has_ports ? &list->item[i].ports :
									   &settings->port_range;

		in_pool |= port >= range->min && port <= range->max;
	}
	return in_pool;
}

static bool is_of_host(const struct settings *settings, uint16_t port)
{
	for (unsigned int i = 0; i < settings->host_ports.count; i++) {
		if (port >= settings->host_ports.range[i].min &&
		    port <= settings->host_ports.range[i].max)
			return true;
	}
	return false;
}

static void judge_ports(const struct facts *facts, const struct settings *settings,
			struct findings *findings)
{
	struct finding *f;
	bool any = false;

	for (unsigned int i = 0; i < facts->listener_count; i++) {
		const struct listener *l = &facts->listener[i];

		if (is_of_host(settings, l->port))
			continue;
		any = true;
		f = add(findings, LEVEL_WARN, STATUS_OK, "host ports");
		SAY(f->found, "a socket listens at %s port %u",
		    l->proto == IPPROTO_TCP ? "tcp" : "udp", l->port);
		SAY(f->needed, "%s",
		    is_given_to_flows(settings, l->port) ?
			    "host_ports has it, or flows get it and the outside cannot reach it" :
			    "host_ports has it, or the outside cannot reach it");
		SAY(f->mend,
		    "add %u to host_ports in /etc/natxdp/natxdp.conf, if it is meant for "
		    "the outside",
		    l->port);
	}
	if (any)
		return;
	f = add(findings, LEVEL_OK, STATUS_OK, "host ports");
	SAY(f->found, "no listening socket outside of host_ports");
	SAY(f->needed, "host_ports has the ports that the outside may reach");
}

static void judge_way_out(const struct facts *facts, struct findings *findings)
{
	bool good = facts->route && facts->route_out;
	char gateway[INET_ADDRSTRLEN] = "none";
	struct finding *f;

	f = add(findings, good ? LEVEL_OK : LEVEL_FAIL, STATUS_INTERFACE, "route");
	SAY(f->found, good	   ? "leads out" :
		      facts->route ? "leads out by another interface" :
				     "there is none");
	SAY(f->needed, "a route to the internet by %s", facts->nic[0].name);
	if (!good)
		SAY(f->mend, "ip route replace default via GATEWAY dev %s", facts->nic[0].name);
	if (!good || !facts->gateway)
		return;
	inet_ntop(AF_INET, &facts->gateway, gateway, sizeof(gateway));
	f = add(findings, facts->neighbour ? LEVEL_OK : LEVEL_LOAD, STATUS_OK, "gateway");
	SAY(f->found, "%s, its hardware address is %s", gateway,
	    facts->neighbour ? "known" : "not known yet");
	SAY(f->needed, "known; else the kernel asks for it with the first packet");
	if (!facts->neighbour)
		SAY(f->mend, "ping -c 1 %s", gateway);
}

static void judge_others(const struct facts *facts, struct findings *findings)
{
	struct finding *f;

	f = add(findings, facts->nat_chains ? LEVEL_WARN : LEVEL_OK, STATUS_OK, "netfilter nat");
	if (facts->nat_chains)
		SAY(f->found, "%u chains, one in %s", facts->nat_chains, facts->nat_table);
	else
		SAY(f->found, "none");
	SAY(f->needed, "no masquerading of the same traffic");
	if (facts->nat_chains)
		SAY(f->mend, "nft list ruleset, and remove the rules that translate what comes "
			     "from the inside: first packets pass the kernel");
	if (!facts->ec2)
		return;
	f = add(findings, LEVEL_WARN, STATUS_OK, "source/dest check");
	SAY(f->found, "cannot be seen from the instance: its metadata does not tell");
	SAY(f->needed, "off, on every ENI that forwards");
	SAY(f->mend, "aws ec2 modify-network-interface-attribute --network-interface-id ENI "
		     "--no-source-dest-check");
}

void facts_judge(const struct facts *facts, const struct settings *settings,
		 struct findings *findings)
{
	findings->count = 0;
	judge_kernel(facts, findings);
	judge_nics(facts, settings, findings);
	judge_sysctls(facts, findings);
	judge_way_out(facts, findings);
	judge_ports(facts, settings, findings);
	judge_others(facts, findings);
}
