/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "operator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/libbpf.h>

#include <cmocka.h>

#include "block.h"
#include "nat.h"

/* A full range is remembered for so long (ports.bpf.h), also when flows are ended. */
enum { PORT_FULL_US = 170000 };

static void open_nat(struct box *box, struct nat *nat)
{
	struct bpf_object *object = box_object(box);
	uint32_t zero = 0;
	int i;

	nat_init(nat);
	for (i = 0; i < NAT_MAPS; i++)
		nat->map[i] = bpf_object__find_map_fd_by_name(object, nat_map_names[i]);
	assert_int_equal(bpf_map__lookup_elem(box_map(box, "config"), &zero, sizeof(zero),
					      &nat->config, sizeof(nat->config), 0),
			 0);
}

void operator_blocks(struct box *box, struct model *m, struct traffic *t)
{
	static const char *const hosts[] = { "10.77.0.66", "10.77.0.2", "10.77.0.3", "10.77.0.4",
					     "10.99.0.9" };
	uint32_t host = addr(hosts[traffic_random(t, sizeof(hosts) / sizeof(*hosts))]);
	uint64_t ended;
	struct nat nat;

	open_nat(box, &nat);
	if (m->blocked)
		assert_int_equal(block_delete(&nat, htonl(m->blocked)), 0);
	assert_int_equal(block_add(&nat, htonl(host), &ended), 0);
	m->blocked = host;
	model_end(m, host);
	if (m->options.port_max)
		usleep(PORT_FULL_US);
}

void operator_drains(struct box *box, struct model *m, struct traffic *t)
{
	uint32_t index = traffic_random(t, m->options.externals ? m->options.externals : 1);
	struct natxdp_pool pool;
	struct bpf_map *map = box_map(box, "ext_pool");

	m->draining ^= 1ull << index;
	assert_int_equal(bpf_map__lookup_elem(map, &index, sizeof(index), &pool, sizeof(pool), 0),
			 0);
	pool.flags = m->draining >> index & 1 ? NATXDP_POOL_DRAINING : 0;
	assert_int_equal(bpf_map__update_elem(map, &index, sizeof(index), &pool, sizeof(pool),
					      BPF_ANY),
			 0);
}
