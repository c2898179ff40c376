/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "box_kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "err.h"
#include "guard.h"
#include "nat.h"

/* The route lookups of the data plane need real interfaces and neighbours. */
static const char *const network[] = {
	/* or the kernel's own IPv6 packets run through the programs and are counted */
	"echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6",
	"ip link add in0 address 02:00:00:00:00:01 type veth peer name in1",
	"ip link add out0 address 02:00:00:00:01:01 type veth peer name out1",
	"ip addr add 10.77.0.1/24 dev in0",
	"ip addr add 203.0.113.1/24 dev out0",
	"for i in lo in0 in1 out0 out1; do ip link set $i up; done",
	"ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev in0 nud permanent",
	"ip neigh add 10.77.0.3 lladdr 02:00:00:00:00:03 dev in0 nud permanent",
	"for i in 20 21; do ip neigh add 203.0.113.$i lladdr 02:00:00:00:01:14 dev out0; done",
	"ip neigh add 203.0.113.254 lladdr 02:00:00:00:01:fe dev out0 nud permanent",
	"ip route add default via 203.0.113.254; echo 1 > /proc/sys/net/ipv4/ip_forward",
};

void box_make_network(void)
{
	static bool made;
	unsigned int i;

	if (made)
		return;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	for (i = 0; i < sizeof(network) / sizeof(*network); i++)
		if (system(network[i]))
			fail_msg("failed: %s", network[i]);
	made = true;
}

int box_guard_load(struct bpf_object *object, bool inside)
{
	struct bpf_map *map;
	struct nat nat;
	struct err err;
	int guard;

	nat_init(&nat);
	for (int i = 0; i < NAT_MAPS; i++) {
		map = bpf_object__find_map_by_name(object, nat_map_names[i]);
		nat.map[i] = map ? bpf_map__fd(map) : -1;
	}
	guard = guard_program(&nat, inside, &err);
	assert_true(guard >= 0);
	return guard;
}

bool box_guard_run(int guard, uint32_t ifindex, const void *data, size_t len)
{
	struct __sk_buff skb = { .ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .data_size_in = len, .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(guard, &run), 0);
	assert_true((int)run.retval == TC_ACT_SHOT || (int)run.retval == TC_ACT_UNSPEC);
	return (int)run.retval == TC_ACT_SHOT;
}
