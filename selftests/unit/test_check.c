/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What `natxdp check` says of hosts and NICs that nobody has here. */
#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "nicrules.h"
#include "settings.h"

#define AMAZON "6.1.166-197.305.amzn2023.aarch64"
#define DEBIAN "6.1.0-56-cloud-amd64"

/* A host that lacks nothing, as an EC2 instance with an ENA of 4 queues would be. */
static struct facts good_facts(void)
{
	struct facts facts = {
		.release = AMAZON,
		.btf = true,
		.bpffs = true,
		.permitted = true,
		.nic_count = 1,
		.route = true,
		.route_out = true,
		.gateway = inet_addr("10.0.0.1"),
		.neighbour = true,
	};

	facts.nic[0] = (struct nic_facts){
		.name = "eth0",
		.driver = "ena",
		.version = "2.16.1g",
		.mtu = 9001,
		.up = true,
		.queues = 2,
		.queues_max = 4,
		.rx_ring = 1024,
		.rx_ring_max = 8192,
		.rss_queues = 2,
		.irqs = 3,
		.irq_cpus = 2,
		.cpus = 2,
	};
	return facts;
}

static const struct finding *find(const struct findings *findings, const char *name)
{
	for (unsigned int i = 0; i < findings->count; i++) {
		if (!strcmp(findings->item[i].name, name))
			return &findings->item[i];
	}
	fail_msg("no finding %s", name);
	return NULL;
}

static void judge(const struct facts *facts, struct findings *findings)
{
	static struct settings settings;

	settings_init(&settings);
	facts_judge(facts, &settings, findings);
}

static const struct ena_row {
	const char *version;
	const char *release;
	uint32_t mtu, queues, queues_max;
	enum level driver, mtu_level, queues_level;
	const char *mend; /* of what fails first */
	enum exit_status status;
} ena_rows[] = {
	/* the newest: neither halves nor pages */
	{ "2.17.2g", AMAZON, 9001, 4, 4, LEVEL_OK, LEVEL_OK, LEVEL_OK, "", STATUS_OK },
	{ "2.18.0", AMAZON, 9001, 32, 32, LEVEL_OK, LEVEL_OK, LEVEL_OK, "", STATUS_OK },
	/* panic when an ENI goes away */
	{ "2.17.0g", AMAZON, 9001, 4, 4, LEVEL_FAIL, LEVEL_OK, LEVEL_OK, "it panics",
	  STATUS_KERNEL },
	{ "2.17.1", AMAZON, 1500, 1, 4, LEVEL_FAIL, LEVEL_OK, LEVEL_OK, "it panics",
	  STATUS_KERNEL },
	/* frames in pieces, but half the queues */
	{ "2.16.1g", AMAZON, 9001, 4, 4, LEVEL_OK, LEVEL_OK, LEVEL_FIX,
	  "ethtool -L eth0 combined 2", STATUS_INTERFACE },
	{ "2.16.1g", AMAZON, 9001, 2, 4, LEVEL_OK, LEVEL_OK, LEVEL_OK, "", STATUS_OK },
	{ "2.14.0", AMAZON, 9001, 5, 8, LEVEL_OK, LEVEL_OK, LEVEL_FIX, "ethtool -L eth0 combined 4",
	  STATUS_INTERFACE },
	/* an odd number of queues, and one alone */
	{ "2.15.0", AMAZON, 9001, 2, 3, LEVEL_OK, LEVEL_OK, LEVEL_FIX, "ethtool -L eth0 combined 1",
	  STATUS_INTERFACE },
	{ "2.15.0", AMAZON, 9001, 1, 1, LEVEL_OK, LEVEL_OK, LEVEL_FAIL, "take an instance",
	  STATUS_INTERFACE },
	/* frames in one page */
	{ "2.13.1", AMAZON, 9001, 2, 4, LEVEL_OK, LEVEL_FIX, LEVEL_OK,
	  "ip link set dev eth0 mtu 3498", STATUS_INTERFACE },
	{ "2.13.3g", AMAZON, 3498, 2, 4, LEVEL_OK, LEVEL_OK, LEVEL_OK, "", STATUS_OK },
	{ "2.13.3g", AMAZON, 3499, 2, 4, LEVEL_OK, LEVEL_FIX, LEVEL_OK,
	  "ip link set dev eth0 mtu 3498", STATUS_INTERFACE },
	{ "2.13.0g", AMAZON, 1500, 2, 4, LEVEL_FAIL, LEVEL_OK, LEVEL_OK, "it panics",
	  STATUS_KERNEL },
	{ "2.12.3g", AMAZON, 1500, 2, 4, LEVEL_WARN, LEVEL_OK, LEVEL_OK, "", STATUS_OK },
	/* that of the kernel itself, which has no version of its own */
	{ DEBIAN, DEBIAN, 9001, 4, 4, LEVEL_OK, LEVEL_FIX, LEVEL_FIX,
	  "ip link set dev eth0 mtu 3498", STATUS_INTERFACE },
	{ "", DEBIAN, 1500, 2, 4, LEVEL_OK, LEVEL_OK, LEVEL_OK, "", STATUS_OK },
};

static void check_ena(const struct ena_row *row)
{
	struct facts facts = good_facts();
	struct nic_facts *nic = &facts.nic[0];
	static struct findings findings;

	snprintf(nic->version, sizeof(nic->version), "%s", row->version);
	snprintf(facts.release, sizeof(facts.release), "%s", row->release);
	nic->mtu = row->mtu;
	nic->queues = nic->rss_queues = row->queues;
	nic->queues_max = row->queues_max;
	judge(&facts, &findings);
	if (find(&findings, "eth0 driver")->level != row->driver ||
	    find(&findings, "eth0 mtu")->level != row->mtu_level ||
	    find(&findings, "eth0 queues")->level != row->queues_level ||
	    findings_status(&findings) != row->status)
		fail_msg("ena %s, mtu %u, %u of %u queues: judged otherwise", row->version,
			 row->mtu, row->queues, row->queues_max);
	for (unsigned int i = 0; i < findings.count; i++) {
		if (findings.item[i].level < LEVEL_FIX)
			continue;
		assert_memory_equal(findings.item[i].mend, row->mend, strlen(row->mend));
		return;
	}
	assert_string_equal(row->mend, "");
}

static void ena_by_version_mtu_and_queues(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(ena_rows); i++)
		check_ena(&ena_rows[i]);
}

static void other_drivers(void **state)
{
	static const struct {
		const char *driver, *version, *release;
		uint32_t mtu_max;
		bool half_queues, no_lro, known;
	} rows[] = {
		{ "virtio_net", "1.0.0", "6.1.0-56", 3506, false, false, true },
		{ "virtio_net", "1.0.0", "6.12.92", 0, false, false, true },
		{ "veth", "1.0", "6.1.0-56", 0, false, false, true },
		{ "ixgbe", "6.1.0-56", "6.1.0-56", 3046, false, false, true },
		{ "i40e", "6.12.1", "6.12.1", 0, false, false, true },
		{ "mlx5_core", "6.1.0-56", "6.1.0-56", 3498, false, true, true },
		{ "mlx5_core", "24.10-1.1.4", "6.12.1", 0, false, true, true },
		{ "e1000e", "6.1.0-56", "6.1.0-56", 0, false, false, false },
	};

	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(rows); i++) {
		const struct nic_rule *rule = nic_rule_find(rows[i].driver, rows[i].version,
							    rows[i].release);

		assert_int_equal(rule->mtu_max, rows[i].mtu_max);
		assert_int_equal(rule->half_queues, rows[i].half_queues);
		assert_int_equal(rule->no_lro, rows[i].no_lro);
		assert_int_equal(rule->driver != NULL, rows[i].known);
		assert_null(rule->refuse);
	}
}

static void lro_goes_off(void **state)
{
	struct nic_facts nic = { .driver = "mlx5_core", .mtu = 1500, .lro = true };
	struct nic_wants wants;

	(void)state;
	nic_wants(&nic, nic_rule_find("mlx5_core", "6.12.1", "6.12.1"), true, &wants);
	assert_true(wants.lro_off && !wants.mtu && !wants.queues);
	nic_wants(&nic, nic_rule_find("veth", "1.0", "6.12.1"), true, &wants);
	assert_false(wants.lro_off);
}

static void versions(void **state)
{
	(void)state;
	assert_int_equal(version_parse("2.16.1g"), VERSION(2, 16, 1));
	assert_int_equal(version_parse("6.1.0-56-cloud-amd64"), VERSION(6, 1, 0));
	assert_int_equal(version_parse("6.18"), VERSION(6, 18, 0));
	assert_int_equal(version_parse("6.1.4000"), VERSION(6, 1, 1023));
	assert_int_equal(version_parse("none"), 0);
	assert_int_equal(version_parse(""), 0);
}

static void good(struct facts *facts)
{
	(void)facts;
}

static void old_kernel(struct facts *facts)
{
	strcpy(facts->release, "5.15.0-100-generic");
}

static void no_btf(struct facts *facts)
{
	facts->btf = false;
}

static void nobody(struct facts *facts)
{
	facts->permitted = false;
}

static void no_bpffs(struct facts *facts)
{
	facts->bpffs = false;
}

static void link_down(struct facts *facts)
{
	facts->nic[0].up = false;
}

static void other_program(struct facts *facts)
{
	facts->other_xdp[0] = 17;
}

static void no_route(struct facts *facts)
{
	facts->route = facts->route_out = false;
}

static void other_way_out(struct facts *facts)
{
	facts->route_out = false;
}

static void unknown_gateway(struct facts *facts)
{
	facts->neighbour = false;
}

static void masquerading(struct facts *facts)
{
	facts->nat_chains = 1;
	strcpy(facts->nat_table, "nat");
}

static void listening(struct facts *facts)
{
	facts->listener[facts->listener_count++] = (struct listener){ IPPROTO_TCP, 8080 };
}

static void ssh_listening(struct facts *facts)
{
	facts->listener[facts->listener_count++] = (struct listener){ IPPROTO_TCP, 22 };
}

static void no_forwarding(struct facts *facts)
{
	facts->sysctl_needed.count = 1;
	strcpy(facts->sysctl_needed.item[0].name, "net/ipv4/ip_forward");
	strcpy(facts->sysctl_needed.item[0].value, "1");
	facts->sysctl_now = facts->sysctl_needed;
	strcpy(facts->sysctl_now.item[0].value, "0");
}

static void one_irq_cpu(struct facts *facts)
{
	facts->nic[0].irq_cpus = 1;
}

static void one_rss_queue(struct facts *facts)
{
	facts->nic[0].rss_queues = 1;
}

static void small_ring(struct facts *facts)
{
	facts->nic[0].rx_ring = 256;
}

static void on_ec2(struct facts *facts)
{
	facts->ec2 = true;
}

static void each_precondition(void **state)
{
	static const struct {
		void (*change)(struct facts *facts);
		const char *name;
		enum level level;
		enum exit_status status;
		const char *mend; /* its beginning */
	} rows[] = {
		{ good, "kernel", LEVEL_OK, STATUS_OK, "" },
		{ old_kernel, "kernel", LEVEL_FAIL, STATUS_KERNEL, "boot" },
		{ no_btf, "btf", LEVEL_FAIL, STATUS_KERNEL, "boot" },
		{ nobody, "capabilities", LEVEL_FAIL, STATUS_PERMISSION, "run natxdp as root" },
		{ no_bpffs, "bpffs", LEVEL_LOAD, STATUS_OK, "mount -t bpf" },
		{ link_down, "eth0 link", LEVEL_FAIL, STATUS_INTERFACE, "ip link set dev eth0 up" },
		{ other_program, "eth0 other XDP", LEVEL_FAIL, STATUS_STATE,
		  "ip link set dev eth0" },
		{ no_route, "route", LEVEL_FAIL, STATUS_INTERFACE, "ip route replace default" },
		{ other_way_out, "route", LEVEL_FAIL, STATUS_INTERFACE, "ip route replace" },
		{ unknown_gateway, "gateway", LEVEL_LOAD, STATUS_OK, "ping -c 1 10.0.0.1" },
		{ masquerading, "netfilter nat", LEVEL_WARN, STATUS_OK, "nft list ruleset" },
		{ listening, "host ports", LEVEL_WARN, STATUS_OK, "add 8080 to host_ports" },
		{ ssh_listening, "host ports", LEVEL_OK, STATUS_OK, "" },
		{ no_forwarding, "net/ipv4/ip_forward", LEVEL_LOAD, STATUS_OK,
		  "sysctl -w net/ipv4/ip_forward='1'" },
		{ one_irq_cpu, "eth0 irqs", LEVEL_WARN, STATUS_OK, "start irqbalance" },
		{ one_rss_queue, "eth0 rss", LEVEL_WARN, STATUS_OK, "ethtool -X eth0 equal 2" },
		{ small_ring, "eth0 rx ring", LEVEL_WARN, STATUS_OK, "ethtool -G eth0 rx 1024" },
		{ on_ec2, "source/dest check", LEVEL_WARN, STATUS_OK, "aws ec2 modify-network" },
	};
	static struct findings findings;

	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(rows); i++) {
		struct facts facts = good_facts();
		const struct finding *finding;

		rows[i].change(&facts);
		judge(&facts, &findings);
		finding = find(&findings, rows[i].name);
		if (finding->level != rows[i].level ||
		    findings_status(&findings) != rows[i].status ||
		    strncmp(finding->mend, rows[i].mend, strlen(rows[i].mend)))
			fail_msg("row %u, %s: %s, %s", i, rows[i].name, level_name(finding->level),
				 finding->mend);
	}
}

static void generic_mode_asks_no_driver(void **state)
{
	static struct settings settings;
	static struct findings findings;
	struct facts facts = good_facts();

	(void)state;
	strcpy(facts.nic[0].version, "2.17.0g");
	settings_init(&settings);
	settings.xdp_mode = XDP_MODE_GENERIC;
	facts_judge(&facts, &settings, &findings);
	assert_int_equal(findings_status(&findings), STATUS_OK);
}

/* load takes TC then, and says why; so nothing of this keeps anybody from loading. */
static void auto_takes_tc_where_xdp_cannot_go(void **state)
{
	static const struct {
		const char *version;
		uint32_t mtu, other;
		enum level driver, mtu_level, other_level, hook;
		const char *found;
	} rows[] = {
		{ "2.16.1g", 9001, 0, LEVEL_OK, LEVEL_OK, LEVEL_OK, LEVEL_OK, "auto takes xdp" },
		{ "2.13.3g", 9001, 0, LEVEL_OK, LEVEL_WARN, LEVEL_OK, LEVEL_WARN,
		  "auto takes tc: eth0 mtu is 9001" },
		{ "2.17.0g", 1500, 0, LEVEL_WARN, LEVEL_OK, LEVEL_OK, LEVEL_WARN,
		  "auto takes tc: eth0 driver is ena 2.17.0g" },
		{ "2.16.1g", 9001, 17, LEVEL_OK, LEVEL_OK, LEVEL_WARN, LEVEL_WARN,
		  "auto takes tc: eth0 other XDP is program 17" },
	};
	static struct settings settings;
	static struct findings findings;
	struct facts facts;

	(void)state;
	settings_init(&settings);
	settings.hook = HOOK_CHOICE_AUTO;
	for (unsigned int i = 0; i < COUNT_OF(rows); i++) {
		facts = good_facts();
		strcpy(facts.nic[0].version, rows[i].version);
		facts.nic[0].mtu = rows[i].mtu;
		facts.other_xdp[0] = rows[i].other;
		facts_judge(&facts, &settings, &findings);
		assert_int_equal(findings_status(&findings), STATUS_OK);
		assert_int_equal(find(&findings, "eth0 driver")->level, rows[i].driver);
		assert_int_equal(find(&findings, "eth0 mtu")->level, rows[i].mtu_level);
		assert_int_equal(find(&findings, "eth0 other XDP")->level, rows[i].other_level);
		assert_int_equal(find(&findings, "hook")->level, rows[i].hook);
		assert_string_equal(find(&findings, "hook")->found, rows[i].found);
	}
	/* what no hook can do without still fails */
	facts = good_facts();
	facts.nic[0].up = false;
	facts_judge(&facts, &settings, &findings);
	assert_int_equal(findings_status(&findings), STATUS_INTERFACE);
}

static void behind_a_dispatcher_frames_fit_one_page(void **state)
{
	static struct settings settings;
	static struct findings findings;
	struct facts facts = good_facts();

	(void)state;
	settings_init(&settings);
	settings.dispatcher = true;
	facts_judge(&facts, &settings, &findings);
	assert_int_equal(findings_status(&findings), STATUS_INTERFACE);
	assert_string_equal(find(&findings, "eth0 mtu")->mend, "ip link set dev eth0 mtu 3498");
	facts.nic[0].mtu = 3498;
	facts_judge(&facts, &settings, &findings);
	assert_int_equal(findings_status(&findings), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ena_by_version_mtu_and_queues),
		cmocka_unit_test(other_drivers),
		cmocka_unit_test(lro_goes_off),
		cmocka_unit_test(versions),
		cmocka_unit_test(each_precondition),
		cmocka_unit_test(generic_mode_asks_no_driver),
		cmocka_unit_test(auto_takes_tc_where_xdp_cannot_go),
		cmocka_unit_test(behind_a_dispatcher_frames_fit_one_page),
	};

	return cmocka_run_group_tests_name("unit/check", tests, NULL, NULL);
}
