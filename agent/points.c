/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "points.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

unsigned int point_dimensions(enum metric_dims dims, const char *names[POINT_LABELS])
{
	switch (dims) {
	case DIMS_NAT:
		return 0;
	case DIMS_ADDRESS:
		names[0] = "Address";
		return 1;
	case DIMS_REASON:
		names[0] = "Reason";
		return 1;
	case DIMS_STATE:
		names[1] = "State";
		names[0] = "Protocol";
		return 2;
	case DIMS_PROTOCOL:
		names[0] = "Protocol";
		return 1;
	case DIMS_ENDPOINT:
		names[0] = "Endpoint";
		return 1;
	}
	return 0;
}

static int add(struct points *points, enum metric metric, const struct statistic *value,
	       const char *first, const char *second)
{
	struct point *larger, *point;

	if (!value->samples)
		return 0;
	if (points->count == points->room) {
		points->room = points->room ? 2 * points->room : 64;
		larger = realloc(points->point, points->room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		points->point = larger;
	}
	point = &points->point[points->count++];
	memset(point, 0, sizeof(*point));
	point->metric = metric;
	point->value = *value;
	snprintf(point->label[0], POINT_LABEL_MAX, "%s", first);
	snprintf(point->label[1], POINT_LABEL_MAX, "%s", second);
	return 0;
}

static int add_one(struct points *points, enum metric metric, double value, const char *first,
		   const char *second)
{
	struct statistic statistic = { 0 };

	statistic_add(&statistic, value);
	return add(points, metric, &statistic, first, second);
}

static int add_nat(struct points *points, const struct agent *agent, enum metric_level level)
{
	const struct interval *interval = &agent->published;
	struct statistic mean = { 0 };
	int ret = 0;

	for (int i = 0; !ret && i < METRIC_COUNT; i++) {
		const struct metric_info *m = &metric_info[i];

		if (m->publisher == PUBLISHER_LAMBDA ||
		    (m->publisher == PUBLISHER_HA && !agent->ha))
			continue;
		if (m->dims == DIMS_NAT && m->level <= level)
			ret = add(points, i, &interval->nat[i], "", "");
	}
	for (unsigned int i = 0; !ret && i < interval->cpus; i++) {
		mean = (struct statistic){ 0 };
		statistic_add(&mean, interval->softirq[i].sum / interval->softirq[i].samples);
		ret = add(points, METRIC_SOFTIRQ, &mean, "", "");
	}
	return ret;
}

static int add_addresses(struct points *points, const struct agent *agent)
{
	const struct scan_result *scan = scan_last(agent->scan);
	char addr[INET_ADDRSTRLEN];
	int ret = 0;

	for (unsigned int i = 0; scan && !ret && i < agent->source.pool.count; i++) {
		double ports = agent->source.usable_ports[i];

		if (!agent->source.pool.item[i].addr)
			continue;
		inet_ntop(AF_INET, &agent->source.pool.item[i].addr, addr, sizeof(addr));
		ret = add_one(points, METRIC_ADDRESS_FLOWS, scan->pool_flows[i], addr, "");
		if (!ret && ports)
			ret = add_one(points, METRIC_ADDRESS_PORT_USE,
				      100.0 * scan->pool_ports[i] / ports, addr, "");
	}
	return ret;
}

/* What has never happened is no metric, and costs nothing. */
static int add_reasons(struct points *points, const struct totals *now, const struct totals *then)
{
	int ret = 0;

	for (int i = 0; !ret && i < NATXDP_REASON_COUNT; i++) {
		if (!now->reason_packets[i])
			continue;
		ret = add_one(points, METRIC_REASON_PACKETS,
			      counter_since(now->reason_packets[i], then->reason_packets[i]),
			      reason_names[i].name, "");
		if (!ret)
			ret = add_one(points, METRIC_REASON_BYTES,
				      counter_since(now->reason_bytes[i], then->reason_bytes[i]),
				      reason_names[i].name, "");
	}
	return ret;
}

static int add_flows(struct points *points, const struct scan_result *scan)
{
	int ret = 0;

	for (int i = 0; scan && !ret && i < SCAN_PROTOS; i++)
		ret = add_one(points, METRIC_PROTOCOL_FLOWS, scan->proto[i], scan_proto_names[i],
			      "");
	for (int i = 0; scan && !ret && i < NATXDP_STATE_COUNT; i++)
		ret = add_one(points, METRIC_STATE_FLOWS, scan->state[i], scan_state_proto(i),
			      scan_state_name(i));
	return ret;
}

int points_make(struct points *points, const struct agent *agent, const struct keep_base *base)
{
	enum metric_level level = agent->conf.metrics == LEVEL_EXTENDED ? METRIC_EXTENDED :
									  METRIC_BASIC;
	int ret;

	memset(points, 0, sizeof(*points));
	points->time_ms = agent->published_ms - agent->conf.interval;
	ret = add_nat(points, agent, level);
	if (!ret && level == METRIC_EXTENDED)
		ret = add_addresses(points, agent);
	if (!ret && level == METRIC_EXTENDED)
		ret = add_reasons(points, &agent->published.last, &base->totals);
	if (!ret && level == METRIC_EXTENDED)
		ret = add_flows(points, scan_last(agent->scan));
	if (ret)
		points_free(points);
	return ret;
}

void points_free(struct points *points)
{
	free(points->point);
	memset(points, 0, sizeof(*points));
}
