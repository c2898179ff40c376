/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the sweep costs, and how late it is.
 *
 * expiry fill --pin-dir DIR --iface IFACE --flows N [--first N]: opens TCP flows.
 *
 * expiry spin --cpu N --seconds N: how much of a CPU others take from a
 * process that wants all of it: the gaps between two looks at the clock.
 *
 * expiry late --pin-dir DIR --iface IFACE --rate N --seconds N --timeout N
 * [--first N]: opens UDP flows at a steady rate, which nobody refreshes, and
 * watches when the NAT counts them as expired. Flows expire in the order in which they were
 * opened, or nearly: the n-th that goes should go --timeout after the n-th came.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "subject.h"

#include <natxdp/reasons.h>

enum { GAP_NS = 300, PERIOD_US = 1000, PATIENCE_S = 20 };

static void open_subject(struct subject *s, int argc, char **argv, uint32_t first, uint32_t count)
{
	struct subject subjects[SUBJECTS_MAX];

	subjects_open(subjects, option_text(argc, argv, "--pin-dir", ""),
		      option_text(argc, argv, "--iface", ""), 0, count);
	*s = subjects[0];
	for (uint32_t i = 0; i < count; i++)
		s->draws[i] = flow_tuple(first + i, SPREAD_HOSTS);
}

static void check_opened(const struct subject *s, uint64_t before, uint32_t count)
{
	uint64_t opened = subject_event(s, NATXDP_EVENT_FLOWS_OPENED) - before;

	if (opened == count)
		return;
	errno = ENOSPC;
	die("%llu of %u flows opened", (unsigned long long)opened, count);
}

static void do_fill(int argc, char **argv)
{
	uint32_t count = option_number(argc, argv, "--flows", 1000000);
	cJSON *root = cJSON_CreateObject();
	struct subject s;
	uint64_t before;

	pin_to_cpu(0);
	open_subject(&s, argc, argv, option_number(argc, argv, "--first", 0), count);
	before = subject_event(&s, NATXDP_EVENT_FLOWS_OPENED);
	subject_protocol(&s, IPPROTO_TCP, TH_ACK);
	subject_range(&s, 0, 0, count);
	subject_feed(&s, count);
	check_opened(&s, before, count);
	cJSON_AddNumberToObject(root, "flows", count);
	subjects_close(&s, 1);
	print_json(root);
}

static void do_spin(int argc, char **argv)
{
	double seconds = option_number(argc, argv, "--seconds", 5), start, now, last, taken = 0;
	cJSON *root = cJSON_CreateObject();
	double worst = 0;

	pin_to_cpu(option_number(argc, argv, "--cpu", 1));
	start = last = now_ns();
	do {
		now = now_ns();
		if (now - last > GAP_NS)
			taken += now - last;
		if (now - last > worst)
			worst = now - last;
		last = now;
	} while (now - start < seconds * 1e9);
	cJSON_AddNumberToObject(root, "taken", taken / (now - start));
	cJSON_AddNumberToObject(root, "worst_gap_us", worst / 1e3);
	print_json(root);
}

struct curve {
	double *at; /* when the n-th came or went */
	uint32_t count;
};

static void reach(struct curve *curve, uint64_t count, uint32_t most, double now)
{
	while (curve->count < count && curve->count < most)
		curve->at[curve->count++] = now;
}

/* Opens in steps of a millisecond, and watches until all have gone. */
static void watch(struct subject *s, uint32_t total, double rate, double timeout,
		  struct curve *opened, struct curve *expired)
{
	uint64_t before = subject_event(s, NATXDP_EVENT_FLOWS_EXPIRED);
	double start = now_ns(), now = start;
	uint32_t sent = 0, wanted;

	while (expired->count < total &&
	       now - start < (total / rate + timeout + PATIENCE_S) * 1e9) {
		wanted = (now - start) / 1e9 * rate;
		wanted = wanted < total ? wanted : total;
		if (wanted > sent) {
			subject_range(s, 0, sent, total);
			subject_feed(s, wanted - sent);
			sent = wanted;
			reach(opened, sent, total, now);
		}
		now = now_ns();
		reach(expired, subject_event(s, NATXDP_EVENT_FLOWS_EXPIRED) - before, total, now);
		usleep(PERIOD_US);
	}
}

static void do_late(int argc, char **argv)
{
	double rate = option_number(argc, argv, "--rate", 20000);
	uint32_t total = rate * option_number(argc, argv, "--seconds", 4);
	double timeout = option_number(argc, argv, "--timeout", 3), sum = 0;
	struct curve opened = { .at = calloc(total, sizeof(double)) };
	struct curve expired = { .at = calloc(total, sizeof(double)) };
	cJSON *root = cJSON_CreateObject();
	double *late = calloc(total, sizeof(*late));
	struct subject s;

	pin_to_cpu(0);
	open_subject(&s, argc, argv, option_number(argc, argv, "--first", 0), total);
	subject_protocol(&s, IPPROTO_UDP, 0);
	watch(&s, total, rate, timeout, &opened, &expired);
	if (expired.count != total) {
		errno = ETIMEDOUT;
		die("%u of %u flows have expired", expired.count, total);
	}
	for (uint32_t i = 0; i < total; i++) {
		late[i] = (expired.at[i] - opened.at[i]) / 1e9 - timeout;
		sum += late[i];
	}
	cJSON_AddNumberToObject(root, "flows", total);
	cJSON_AddNumberToObject(root, "mean_s", sum / total);
	cJSON_AddNumberToObject(root, "p99_s", quantile(late, total, 0.99));
	cJSON_AddNumberToObject(root, "worst_s", late[total - 1]);
	cJSON_AddNumberToObject(root, "earliest_s", late[0]);
	subjects_close(&s, 1);
	print_json(root);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	bench_libbpf_print();
	if (!strcmp(what, "fill"))
		do_fill(argc, argv);
	else if (!strcmp(what, "spin"))
		do_spin(argc, argv);
	else if (!strcmp(what, "late"))
		do_late(argc, argv);
	else
		return 2;
	return 0;
}
