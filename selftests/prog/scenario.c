/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "scenario.h"

#include "traffic.h"

enum { EDM = NATXDP_MAPPING_ENDPOINT_DEPENDENT, EIM = NATXDP_MAPPING_ENDPOINT_INDEPENDENT };
enum {
	EDF = NATXDP_FILTERING_ENDPOINT_DEPENDENT,
	ADF = NATXDP_FILTERING_ADDRESS_DEPENDENT,
	EIF = NATXDP_FILTERING_ENDPOINT_INDEPENDENT
};
enum {
	RESET = NATXDP_MIDSTREAM_RESET,
	ADOPT = NATXDP_MIDSTREAM_ADOPT,
	DROP = NATXDP_MIDSTREAM_DROP
};
enum { HAIRPIN = NATXDP_HAIRPIN, OTHERS = NATXDP_OTHER_PROTOCOLS };

static const struct box_options table[SCENARIOS] = {
	{ .two_armed = true },
	{ .limit_flows = 12, .externals = 2 },
	{ .two_armed = true, .mapping = EIM, .filtering = EIF, .features = HAIRPIN },
	{ .two_armed = true, .mapping = EIM, .filtering = ADF, .features = HAIRPIN },
	{ .two_armed = true, .mapping = EIM, .filtering = EDF, .features = HAIRPIN | OTHERS },
	{ .mapping = EIM, .filtering = EIF, .features = HAIRPIN | OTHERS, .externals = 3 },
	{ .mapping = EIM, .filtering = ADF, .features = HAIRPIN, .tcp_midstream = ADOPT },
	{ .mapping = EIM, .filtering = EDF, .externals = 2, .tcp_midstream = DROP },
	{ .two_armed = true, .tcp_midstream = ADOPT, .externals = 4, .features = OTHERS },
	{ .two_armed = true, .tcp_midstream = DROP, .egress_mtu = 1400, .limit_rate = 20 },
	{ .tcp_midstream = ADOPT, .egress_mtu = 576, .externals = 2 },
	{ .two_armed = true, .port_min = 20000, .port_max = 20007 },
	{ .port_min = 60990, .port_max = 61010, .externals = 2 },
	{ .two_armed = true, .port_min = 1024, .port_max = 1035, .externals = 3, .mapping = EIM },
	{ .two_armed = true, .timeout = 0.3 },
	{ .timeout = 0.2, .tcp_midstream = ADOPT, .externals = 2, .limit_flows = 8 },
	{ .two_armed = true,
	  .mapping = EIM,
	  .filtering = EIF,
	  .features = HAIRPIN | OTHERS,
	  .externals = 2,
	  .egress_mtu = 1400,
	  .timeout = 0.3 },
	{ .two_armed = true,
	  .mapping = EIM,
	  .filtering = ADF,
	  .features = HAIRPIN,
	  .externals = 3,
	  .timeout = 0.2,
	  .tcp_midstream = ADOPT },
	{ .features = OTHERS, .egress_mtu = 1400, .externals = 5 },
	{ .mapping = EIM,
	  .filtering = EDF,
	  .features = HAIRPIN | OTHERS,
	  .timeout = 0.3,
	  .limit_flows = 10,
	  .limit_rate = 30 },
	{ .gwlb = true },
	{ .gwlb = true, .externals = 3, .features = OTHERS, .egress_mtu = 1400 },
	{ .gwlb = true, .tcp_midstream = ADOPT, .timeout = 0.3, .limit_flows = 12 },
	{ .gwlb = true, .tcp_midstream = DROP, .port_min = 20000, .port_max = 20007 },
};

struct box_options scenario(unsigned int seed)
{
	struct traffic t;
	struct box_options o = { 0 };

	if (seed < SCENARIOS)
		return table[seed];
	traffic_start(&t, ~(uint64_t)seed, false);
	o.two_armed = traffic_random(&t, 2);
	o.mapping = traffic_random(&t, 3) ? EIM : EDM;
	o.filtering = traffic_random(&t, 3);
	o.features = (traffic_random(&t, 4) ? HAIRPIN : 0) | (traffic_random(&t, 2) ? OTHERS : 0);
	o.externals = 1 + traffic_random(&t, 4);
	o.tcp_midstream = traffic_random(&t, 3);
	o.timeout = traffic_random(&t, 3) ? 0 : 0.2 + traffic_random(&t, 3) * 0.1;
	o.egress_mtu = traffic_random(&t, 3) ? 0 : 576 + traffic_random(&t, 900);
	o.limit_flows = traffic_random(&t, 4) ? 0 : 4 + traffic_random(&t, 30);
	o.limit_rate = traffic_random(&t, 4) ? 0 : 10 + traffic_random(&t, 50);
	if (!traffic_random(&t, 4)) {
		o.port_min = 1024 + traffic_random(&t, 59950);
		o.port_max = o.port_min + traffic_random(&t, 30);
	}
	return o;
}
