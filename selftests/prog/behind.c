/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A box behind a load balancer: what goes in and comes out, in tunnels. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include <natxdp/tunnel.h>

#include "behind.h"

const struct geneve behind_first = {
	.vni = 0x0a0b0c,
	.endpoint = 0x0e00000000000001,
	.attachment = 0x0a00000000000001,
	.cookie = 0xc0c0c0c1,
};

const struct geneve behind_second = {
	.vni = 0x0a0b0c,
	.endpoint = 0x0e00000000000002,
	.attachment = 0x0a00000000000001,
	.cookie = 0xc0c0c0c2,
	.sport = 60002,
};

const struct frame behind_packets[] = {
	{ .proto = IPPROTO_UDP, .payload = 32 },
	{ .proto = IPPROTO_UDP, .payload = 33, .no_udp_csum = true },
	{ .proto = IPPROTO_UDP },
	{ .proto = IPPROTO_UDP, .payload = 1400 },
	{ .proto = IPPROTO_UDP, .payload = 7, .ip_options = 40 },
	{ .proto = IPPROTO_TCP, .tcp_flags = 0x02, .seq = 7 },
	{ .proto = IPPROTO_TCP, .tcp_flags = 0x02, .payload = 101, .ip_options = 8 },
	{ .proto = IPPROTO_ICMP, .icmp_type = 8, .payload = 57 },
};

struct frame behind_from_host(const struct frame *f)
{
	struct frame sent = *f;

	sent.saddr = addr(HOST);
	sent.daddr = addr(SERVER);
	sent.sport = f->sport ? f->sport : 5353;
	sent.dport = f->proto == IPPROTO_ICMP ? 0 : 443;
	return sent;
}

struct frame behind_answer_to(const struct frame *f)
{
	struct frame answer = *f;

	memset(answer.src_mac, 0, 6);
	memset(answer.dst_mac, 0, 6);
	answer.saddr = f->daddr;
	answer.daddr = f->saddr;
	answer.sport = f->proto == IPPROTO_ICMP ? f->sport : f->dport;
	answer.dport = f->proto == IPPROTO_ICMP ? 0 : f->sport;
	answer.icmp_type = 0;
	answer.ttl = 57;
	answer.fill = 0x80;
	answer.padding = 0;
	if (f->proto == IPPROTO_TCP) {
		answer.tcp_flags = 0x12;
		answer.ack = f->seq + 1;
	}
	return answer;
}

/* A frame of the inside, in the tunnel. */
void behind_run(struct box *box, const struct geneve *g, const struct frame *f, struct output *out)
{
	uint8_t inner[FRAME_MAX], data[FRAME_MAX];
	size_t len = frame_build(f, inner);

	box_run_raw(box, BOX_SINGLE, data, geneve_build(g, inner, len, data), out);
}

/* What came out is in the tunnel: take it out, and read it. */
void behind_unwrap(const struct geneve *g, struct output *out)
{
	uint8_t frame[FRAME_MAX];
	size_t len = geneve_unwrap(g, out->data, out->len, frame);

	assert_true(len);
	assert_int_equal(out->verdict, XDP_TX);
	memcpy(out->data, frame, len);
	out->len = len;
	out->sound = frame_parse(frame, len, &out->f);
	assert_true(out->sound);
}

void behind_assert_out(const struct output *out, const struct frame *sent)
{
	uint8_t data[FRAME_MAX];
	size_t len = frame_build(sent, data);

	assert_int_equal(out->verdict, XDP_TX);
	assert_int_equal(out->reason, NATXDP_OUT_FORWARDED);
	assert_true(out->sound);
	assert_int_equal(out->len, len);
	assert_int_equal(out->f.saddr, addr(EXTERNAL));
	assert_int_equal(out->f.daddr, sent->daddr);
	assert_int_equal(out->f.dport, sent->dport);
	assert_int_equal(out->f.ttl, 63);
	assert_int_equal(out->f.ip_options, sent->ip_options);
	assert_int_equal(out->f.no_udp_csum, sent->no_udp_csum);
	assert_true(frame_same_payload(out->data, out->len, data, len));
	assert_memory_equal(out->f.src_mac, box_out_mac, 6);
	assert_memory_equal(out->f.dst_mac, box_router_mac, 6);
}

void behind_assert_in(const struct output *in, const struct frame *sent, const struct frame *answer)
{
	uint8_t data[FRAME_MAX];
	size_t len = frame_build(answer, data);

	assert_int_equal(in->reason, NATXDP_IN_FORWARDED);
	assert_int_equal(in->bytes, len - 14);
	assert_int_equal(in->len, len);
	assert_int_equal(in->f.saddr, sent->daddr);
	assert_int_equal(in->f.daddr, sent->saddr);
	assert_int_equal(sent->proto == IPPROTO_ICMP ? in->f.sport : in->f.dport, sent->sport);
	assert_int_equal(in->f.ttl, 56);
	assert_true(frame_same_payload(in->data, in->len, data, len));
}

/* The same host behind another tunnel is another host. */
void behind_there_and_back(struct box *box, const struct geneve *g, const struct frame *f,
			   uint16_t *port)
{
	struct frame sent = behind_from_host(f), answer;
	struct output out;

	behind_run(box, g, &sent, &out);
	behind_assert_out(&out, &sent);
	*port = out.f.sport;
	answer = behind_answer_to(&out.f);
	box_run(box, BOX_SINGLE, &answer, &out);
	behind_unwrap(g, &out);
	behind_assert_in(&out, &sent, &answer);
}

/* @out is @data on its way back: Ethernet and IP addresses have changed places, nothing else. */
void behind_assert_returned(const struct output *out, const uint8_t *data, size_t len)
{
	assert_int_equal(out->reason, NATXDP_RETURNED);
	assert_int_equal(out->verdict, XDP_TX);
	assert_int_equal(out->len, len);
	assert_memory_equal(out->data, data + 6, 6);
	assert_memory_equal(out->data + 6, data, 6);
	assert_memory_equal(out->data + GENEVE_ETH + 12, data + GENEVE_ETH + 16, 4);
	assert_memory_equal(out->data + GENEVE_ETH + 16, data + GENEVE_ETH + 12, 4);
	assert_memory_equal(out->data + GENEVE_AT - 8, data + GENEVE_AT - 8, len - GENEVE_AT + 8);
}

struct box *behind_open(uint32_t egress_mtu, uint32_t tunnel_mtu, bool return_ipv6, double timeout)
{
	struct box_options options = { .gwlb = true, .egress_mtu = egress_mtu, .timeout = timeout };
	struct natxdp_tunnel_conf conf = {
		.mtu = tunnel_mtu,
		.ipv6 = return_ipv6 ? NATXDP_TUNNEL_IPV6_RETURN : NATXDP_TUNNEL_IPV6_DROP,
		.sources = 2,
		.source = { { inet_addr("192.0.2.0"), inet_addr("255.255.255.0") },
			    { inet_addr("203.0.113.16"), inet_addr("255.255.255.248") } },
	};
	struct box *box = box_open(&options);
	uint32_t zero = 0;

	assert_int_equal(bpf_map__update_elem(box_map(box, "tunnel_conf"), &zero, sizeof(zero),
					      &conf, sizeof(conf), BPF_ANY),
			 0);
	return box;
}
