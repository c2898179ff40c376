/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <arpa/inet.h>
#include <bpf/libbpf.h>

#include <cmocka.h>

#include <natxdp/event.h>

enum { PAGES = 4 };

/* Is what the event says of the fragment what the fragment says? */
static bool describes(const struct natxdp_held *event, const uint8_t *frame)
{
	const uint8_t *ip = frame + WIRE_ETH;

	return !memcmp(&event->saddr, ip + 12, 4) && !memcmp(&event->daddr, ip + 16, 4) &&
	       !memcmp(&event->id, ip + 4, 2) && event->proto == ip[9];
}

static void take(void *ctx, int cpu, void *data, __u32 size)
{
	const struct natxdp_held *event = data;
	struct held *h = ctx;

	(void)cpu;
	assert_true(size >= sizeof(*event) + event->len && event->len <= FRAME_MAX);
	h->came++;
	h->last.side = (enum box_side)event->side;
	h->last.len = event->len;
	memcpy(h->last.data, event + 1, event->len);
	assert_true(describes(event, h->last.data));
}

void held_open(struct held *h, struct box *box)
{
	memset(h, 0, sizeof(*h));
	h->buffer = perf_buffer__new(bpf_map__fd(box_map(box, "held_frags")), PAGES, take, NULL, h,
				     NULL);
	assert_non_null(h->buffer);
}

void held_close(struct held *h)
{
	perf_buffer__free(h->buffer);
}

const char *held_check(struct held *h, const struct traffic_packet *p, bool expected)
{
	struct held_frame *keep;

	h->came = 0;
	perf_buffer__consume(h->buffer);
	if (h->came != expected)
		return expected ? "it was not handed over" : "it was handed over";
	if (!expected)
		return NULL;
	if (h->last.side != p->side || h->last.len != p->len ||
	    memcmp(h->last.data, p->data, p->len))
		return "what was handed over is something else";
	if (h->count == HELD_MAX) {
		h->first++;
		h->count--;
	}
	keep = &h->frames[(h->first + h->count++) % HELD_MAX];
	*keep = h->last;
	return NULL;
}

bool held_again(struct held *h, struct traffic_packet *p)
{
	const struct held_frame *frame = &h->frames[h->first % HELD_MAX];

	if (!h->count)
		return false;
	h->first++;
	h->count--;
	p->what = "a fragment that was held";
	p->side = frame->side;
	p->tunnel = 0;
	p->len = frame->len;
	memcpy(p->data, frame->data, frame->len);
	return true;
}

void held_forget(struct held *h)
{
	h->count = 0;
}
