/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tunnelled.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <natxdp/tunnel.h>

#include "geneve.h"

/* One is another load balancer's, and one has its options in another order. */
static const struct geneve tunnels[TUNNELLED] = {
	{ .vni = 1, .endpoint = 0x0e00000000000001, .attachment = 7 },
	{ .vni = 1, .endpoint = 0x0e00000000000002, .attachment = 7, .lb = 0xcb007115 },
	{ .vni = 1, .endpoint = 0x0e00000000000003, .attachment = 7, .order = "cae" },
};

static struct geneve labelled(uint8_t tunnel, struct model_label label)
{
	struct geneve g = tunnels[tunnel - 1];

	g.cookie = label.cookie;
	g.sport = label.sport;
	return g;
}

void tunnelled_open(struct box *box)
{
	struct natxdp_tunnel_conf conf = {
		.sources = 1,
		.source = { { inet_addr("203.0.113.16"), inet_addr("255.255.255.248") } },
	};
	uint32_t zero = 0;

	assert_int_equal(bpf_map__update_elem(box_map(box, "tunnel_conf"), &zero, sizeof(zero),
					      &conf, sizeof(conf), BPF_ANY),
			 0);
}

void tunnelled_read(struct traffic_packet *p, struct wire *w)
{
	size_t inner = p->len - WIRE_ETH;
	const uint8_t *ip = p->data + WIRE_ETH;

	if (!p->tunnel) {
		wire_read(p->data, p->len, w);
		return;
	}
	memcpy(p->data, box_out_mac, 6);
	memcpy(p->data + 6, geneve_lb_mac, 6);
	wire_put16(p->data + 12, 0x0800);
	wire_read(p->data, p->len, w);
	w->src.tunnel = p->tunnel;
	/* what ends before it is taken out is counted as it came */
	if (inner < WIRE_IP || ip[0] >> 4 != 4 || !wire_get16(ip + 2) || wire_get16(ip + 2) > inner)
		w->counted = GENEVE_OUTER + inner;
}

void tunnelled_run(struct box *box, const struct traffic_packet *p, struct output *out)
{
	uint8_t data[FRAME_MAX + GENEVE_OUTER];
	struct geneve g;

	if (!p->tunnel) {
		box_run_raw(box, BOX_SINGLE, p->data, p->len, out);
		return;
	}
	g = labelled(p->tunnel, p->label);
	box_run_raw(box, BOX_SINGLE, data, geneve_build(&g, p->data, p->len, data), out);
}

size_t tunnelled_unwrap(uint8_t tunnel, struct model_label label, const struct output *out,
			uint8_t *frame)
{
	const struct geneve g = labelled(tunnel, label);

	return geneve_unwrap(&g, out->data, out->len, frame);
}

uint16_t tunnelled_tenant(struct box *box, const struct model_flow *f, int way)
{
	uint8_t none[FRAME_MAX] = { 0 }, data[FRAME_MAX];
	struct natxdp_tunnel found;
	struct geneve g;

	if (way == MODEL_IN)
		return NATXDP_TENANT_OUTSIDE;
	g = labelled(f->way[MODEL_OUT].src.tunnel, (struct model_label){ 0 });
	geneve_build(&g, none, WIRE_ETH, data);
	for (uint32_t i = 1; i < NATXDP_TUNNELS_MAX; i++) {
		assert_int_equal(bpf_map__lookup_elem(box_map(box, "tunnels"), &i, sizeof(i),
						      &found, sizeof(found), 0),
				 0);
		if (found.state == NATXDP_TUNNEL_VALID &&
		    !memcmp(found.header, data + GENEVE_AT, sizeof(found.header)))
			return i;
	}
	fail_msg("nothing has come by tunnel %u", f->way[MODEL_OUT].src.tunnel);
	return 0;
}
