/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "openmetrics.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "agent.h"
#include "endpoints.h"

struct writer {
	const struct agent *agent;
	bool openmetrics;
	FILE *out;
	struct endpoints endpoints;
};

static void family(const struct writer *w, const struct metric_info *m)
{
	size_t len = strlen(m->prometheus);

	if (m->kind == KIND_SUM && w->openmetrics)
		len -= strlen("_total");
	fprintf(w->out, "# TYPE %.*s %s\n# HELP %.*s %s.\n", (int)len, m->prometheus,
		m->kind == KIND_SUM ? "counter" : "gauge", (int)len, m->prometheus, m->text);
}

/* @labels: further ones, each with a comma before it. */
static void line(const struct writer *w, const struct metric_info *m, const char *labels,
		 double value)
{
	fprintf(w->out, "%s{nat_id=\"%s\",zone=\"%s\"%s} %.15g\n", m->prometheus,
		w->agent->conf.nat_id, w->agent->zone, labels, value);
}

static void write_addresses(const struct writer *w, const struct metric_info *m, bool ports)
{
	const struct scan_result *scan = scan_last(w->agent->scan);
	const struct source *source = &w->agent->source;
	char labels[64], addr[INET_ADDRSTRLEN];

	for (unsigned int i = 0; scan && i < source->pool.count; i++) {
		double usable = source->usable_ports[i];

		if (!source->pool.item[i].addr)
			continue;
		inet_ntop(AF_INET, &source->pool.item[i].addr, addr, sizeof(addr));
		snprintf(labels, sizeof(labels), ",address=\"%s\"", addr);
		line(w, m, labels,
		     !ports  ? scan->pool_flows[i] :
		     !usable ? 0 :
			       100.0 * scan->pool_ports[i] / usable);
	}
}

static void write_reasons(const struct writer *w, const struct metric_info *m,
			  const uint64_t *values)
{
	char labels[64];

	for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
		snprintf(labels, sizeof(labels), ",reason=\"%s\"", reason_names[i].name);
		line(w, m, labels, values[i]);
	}
}

static void write_flows(const struct writer *w, const struct metric_info *m, bool states)
{
	const struct scan_result *scan = scan_last(w->agent->scan);
	char labels[96];

	for (int i = 0; scan && !states && i < SCAN_PROTOS; i++) {
		snprintf(labels, sizeof(labels), ",protocol=\"%s\"", scan_proto_names[i]);
		line(w, m, labels, scan->proto[i]);
	}
	for (int i = 0; scan && states && i < NATXDP_STATE_COUNT; i++) {
		snprintf(labels, sizeof(labels), ",protocol=\"%s\",state=\"%s\"",
			 scan_state_proto(i), scan_state_name(i));
		line(w, m, labels, scan->state[i]);
	}
}

static void write_softirq(const struct writer *w, const struct metric_info *m)
{
	const struct gauges *gauges = &w->agent->now.gauges;
	char labels[32];

	for (unsigned int i = 0; i < gauges->cpus; i++) {
		snprintf(labels, sizeof(labels), ",cpu=\"%u\"", i);
		line(w, m, labels, gauges->softirq[i]);
	}
}

static void write_nat(const struct writer *w, enum metric metric, const struct metric_info *m)
{
	const struct agent *agent = w->agent;

	if (metric == METRIC_SOFTIRQ)
		write_softirq(w, m);
	else if (m->kind == KIND_SUM)
		line(w, m, "", agent->now.totals.sum[metric]);
	else if (m->kind == KIND_PEAK && agent->published.nat[metric].samples)
		line(w, m, "", agent->published.nat[metric].maximum);
	else if (m->kind == KIND_GAUGE && agent->now.gauges.known[metric])
		line(w, m, "", agent->now.gauges.value[metric]);
}

static void write_endpoints(const struct writer *w, enum metric metric, const struct metric_info *m)
{
	char labels[48];

	for (unsigned int i = 0; i < w->endpoints.count; i++) {
		const struct endpoint *endpoint = &w->endpoints.item[i];

		snprintf(labels, sizeof(labels), ",endpoint=\"%016" PRIx64 "\"", endpoint->id);
		line(w, m, labels, endpoint_value(endpoint, metric));
	}
}

static bool is_written(const struct agent *agent, const struct metric_info *m)
{
	if (m->dims == DIMS_ENDPOINT)
		return nat_has(&agent->source.nat, NAT_MAP_tunnels);
	return m->publisher == PUBLISHER_AGENT || (m->publisher == PUBLISHER_HA && agent->ha);
}

void openmetrics_write(const struct agent *agent, bool openmetrics, FILE *out)
{
	struct writer w = { agent, openmetrics, out, { 0 } };

	endpoints_read(&w.endpoints, &agent->source.nat);
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_info *m = &metric_info[i];

		if (!is_written(agent, m))
			continue;
		family(&w, m);
		switch (m->dims) {
		case DIMS_NAT:
			write_nat(&w, i, m);
			break;
		case DIMS_ADDRESS:
			write_addresses(&w, m, i == METRIC_ADDRESS_PORT_USE);
			break;
		case DIMS_REASON:
			write_reasons(&w, m,
				      i == METRIC_REASON_PACKETS ?
					      agent->now.totals.reason_packets :
					      agent->now.totals.reason_bytes);
			break;
		case DIMS_PROTOCOL:
		case DIMS_STATE:
			write_flows(&w, m, m->dims == DIMS_STATE);
			break;
		case DIMS_ENDPOINT:
			write_endpoints(&w, i, m);
			break;
		}
	}
	endpoints_free(&w.endpoints);
	if (openmetrics)
		fputs("# EOF\n", out);
}
