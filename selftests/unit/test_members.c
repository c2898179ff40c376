/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The fleet as natxdpd.conf has it, and what of it goes into heartbeats. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "err.h"
#include "ha/heartbeat.h"
#include "unit.h"

#define NODES                                               \
	"ha_nodes = nat-a z1 10.0.0.10:9470 i-0a eni-0a,\n" \
	"\tnat-b z2 10.0.1.10:9470 auto eni-0b\n"
#define ROUTES "ha_routes = z1 rtb-1 0.0.0.0/0, z2 rtb-2 0.0.0.0/0, z2 rtb-2 64:ff9b::/96\n"
#define ADDRESSES                                                         \
	"ha_addresses = z1 eipalloc-1 nat-a=10.0.0.11 nat-b=10.0.1.11,\n" \
	"\tz2 eipalloc-2 nat-b=10.0.1.12 nat-a=10.0.0.12\n"
#define ARN "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
#define LISTENER "ha_listener = " ARN "listener/net/egress/1/2\n"
#define GROUPS                                            \
	"ha_target_groups = z2 " ARN "targetgroup/b/2,\n" \
	"\tz1 " ARN "targetgroup/a/1\n"
#define ENI "ha_mode = eni\n"
#define REST "ha_lease_table = leases\nha_key_file = /etc/natxdp/ha-key\n"
#define SELF "ha_node = nat-b\n"

static int read_text(struct conf *conf, const char *text, struct err *err)
{
	char path[] = "/tmp/natxdp-members-XXXXXX";
	int fd = mkstemp(path), ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	memset(err, 0, sizeof(*err));
	conf_init(conf);
	ret = conf_read(conf, path, err);
	if (!ret)
		ret = conf_check(conf, err);
	unlink(path);
	return ret;
}

static void a_fleet_is_numbered(void **state)
{
	struct members members;
	struct conf conf;
	struct err err;

	(void)state;
	assert_int_equal(read_text(&conf, SELF NODES ROUTES ADDRESSES REST, &err), 0);
	assert_int_equal(members_resolve(&members, &conf.ha, &err), 0);
	assert_int_equal(members.self, 1);
	assert_int_equal(members.nodes, 2);
	assert_int_equal(members.zones, 2);
	assert_int_equal(members.home[1], 1);
	assert_int_equal(members.zone_of_route[2], 1);
	assert_int_equal(members.private[1][0], inet_addr("10.0.0.12"));
	assert_int_equal(members.private[1][1], inet_addr("10.0.1.12"));
	assert_int_equal(members_node(&members, "nat-c"), POLICY_NOBODY);
	assert_null(members.group_of_zone[0]);
	assert_int_equal(read_text(&conf, SELF NODES ROUTES REST ENI LISTENER GROUPS, &err), 0);
	assert_int_equal(members_resolve(&members, &conf.ha, &err), 0);
	assert_string_equal(members.group_of_zone[0], ARN "targetgroup/a/1");
	assert_string_equal(members.group_of_zone[1], ARN "targetgroup/b/2");
}

static void what_is_printed_reads_back(void **state)
{
	struct conf conf, again;
	char *text = NULL;
	struct err err;
	size_t size;
	FILE *out;

	(void)state;
	assert_int_equal(read_text(&conf, SELF NODES ROUTES ADDRESSES REST ENI LISTENER GROUPS,
				   &err),
			 0);
	out = open_memstream(&text, &size);
	conf_print(&conf, out);
	fclose(out);
	assert_int_equal(read_text(&again, text, &err), 0);
	assert_memory_equal(&conf.ha, &again.ha, sizeof(conf.ha));
	free(text);
}

static void every_mistake_has_its_sentence(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "ha_node = nat-x\n" NODES ROUTES ADDRESSES REST, "no node of that name" },
		{ SELF ROUTES REST, "no node of that name" },
		{ "ha_node = nat-a\nha_nodes = nat-a z1 10.0.0.10:9470 i-0a eni-0a\n" REST,
		  "nobody to fail over to" },
		{ SELF "ha_nodes = nat-a z1 10.0.0.10:9470 i-0a eni-0a, nat-b z2 10.0.0.10:9470 "
		       "i-0b eni-0b\n" REST,
		  "the same name, address or interface" },
		{ SELF "ha_nodes = nat-a z1 10.0.0.10 i-0a eni-0a\n", "is not ADDRESS:PORT" },
		{ SELF "ha_nodes = nat-a z1 10.0.0.10:1 0a eni-0a\n", "is not auto" },
		{ SELF "ha_nodes = nat-a z1 10.0.0.10:1 i-0a eni-0a more\n", "one word too many" },
		{ SELF "ha_nodes = nat-a z1\n", "is missing" },
		{ SELF NODES "ha_routes = z3 rtb-1 0.0.0.0/0\n" REST, "in which there is no node" },
		{ SELF NODES "ha_routes = z1 rtb-1 0.0.0.0\n" REST, "is not a network" },
		{ SELF NODES "ha_routes = z1 rtb-1 0.0.0.0/33\n" REST, "is not a network" },
		{ SELF NODES "ha_routes = z1 rtb-1 0.0.0.0/0, z2 rtb-1 0.0.0.0/0\n" REST,
		  "named twice" },
		{ SELF NODES REST, "ha_routes: none" },
		{ SELF NODES ROUTES "ha_mode = gwlb\n" REST, "do not move" },
		{ SELF NODES ROUTES "ha_addresses = z1 eipalloc-1 nat-a=10.0.0.11\n" REST,
		  "nat-b=ADDRESS" },
		{ SELF NODES ROUTES "ha_addresses = z1 eipalloc-1 nat-c=10.0.0.11\n" REST,
		  "no node nat-c" },
		{ SELF NODES ROUTES "ha_addresses = z1 eipalloc-1 nat-a=1 nat-b=2.2.2.2\n" REST,
		  "is not an IPv4 address" },
		{ SELF NODES ROUTES "ha_addresses = z1 eipalloc-1 nat-a=1.1.1.1 nat-b=2.2.2.2, "
				    "z1 eipalloc-2 nat-a=1.1.1.1 nat-b=2.2.2.3\n" REST,
		  "the same private address" },
		{ SELF NODES ROUTES "ha_key_file = /a\n", "ha_lease_table: none" },
		{ SELF NODES ROUTES "ha_lease_table = l\n", "either ha_key_file" },
		{ SELF NODES ROUTES REST "ha_key_parameter = p\n", "either ha_key_file" },
		{ SELF NODES ROUTES REST "ha_lifecycle_hook = h\n", "ha_group" },
		{ SELF NODES ROUTES REST "ha_suspicion = 1\n", "2 to 1000" },
		{ SELF NODES ROUTES REST "ha_mode = nlb\n", "not one of" },
		{ SELF NODES ROUTES REST ENI LISTENER, "give both or neither" },
		{ SELF NODES ROUTES REST ENI GROUPS, "give both or neither" },
		{ SELF NODES ROUTES REST LISTENER GROUPS, "only with ha_mode = eni" },
		{ SELF NODES ROUTES REST ENI LISTENER "ha_target_groups = z1 egress\n",
		  "is not the ARN of a target group" },
		{ SELF NODES ROUTES REST ENI LISTENER "ha_target_groups = z3 " ARN
						      "targetgroup/a/1\n",
		  "in which there is no node" },
		{ SELF NODES ROUTES REST ENI LISTENER
		  "ha_target_groups = z1 " ARN "targetgroup/a/1, z2 " ARN "targetgroup/a/1\n",
		  "named twice" },
	};
	struct conf conf;
	struct err err;

	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(rows); i++) {
		int ret = read_text(&conf, rows[i].text, &err);

		if (!ret || !strstr(err.text, rows[i].says))
			print_message("row %u: '%s', not '%s'\n", i, err.text, rows[i].says);
		assert_true(ret && strstr(err.text, rows[i].says));
	}
}

static void heartbeats_read_back(void **state)
{
	struct policy_beat beat = { .incarnation = 77, .healthy = true, .hears = 2 }, read;
	uint8_t bytes[HEARTBEAT_MAX];
	struct members members;
	struct conf conf;
	struct err err;
	size_t len;

	(void)state;
	assert_int_equal(read_text(&conf, SELF NODES ROUTES ADDRESSES REST, &err), 0);
	assert_int_equal(members_resolve(&members, &conf.ha, &err), 0);
	beat.zone[1] = (struct policy_claim){ 1ull << 40,    1,	  POLICY_OWNER, 0, POLICY_DRAIN,
					      POLICY_NOBODY, true };
	beat.zone[0].owner = POLICY_STRANGER;
	len = heartbeat_write(&members, &beat, bytes);
	assert_int_equal(heartbeat_read(&members, bytes, len, &read), 0);
	assert_memory_equal(&read, &beat, sizeof(beat));
	for (size_t i = 0; i < len; i++)
		assert_true(heartbeat_read(&members, bytes, i, &read) < 0);
	bytes[0]++;
	assert_int_equal(heartbeat_read(&members, bytes, len, &read), -EPROTONOSUPPORT);
	bytes[0]--;
	bytes[4]++; /* the fingerprint */
	assert_int_equal(heartbeat_read(&members, bytes, len, &read), -ESTALE);
	bytes[4]--;
	bytes[HEARTBEAT_HEAD + 8] = 99; /* no node has that number */
	assert_int_equal(heartbeat_read(&members, bytes, len, &read), 0);
	assert_int_equal(read.zone[0].owner, POLICY_NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fleet_is_numbered),
		cmocka_unit_test(what_is_printed_reads_back),
		cmocka_unit_test(every_mistake_has_its_sentence),
		cmocka_unit_test(heartbeats_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
