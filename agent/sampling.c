/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "sampling.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "agent.h"
#include "attach.h"
#include "cloud.h"
#include "ena.h"
#include "ha/ha.h"
#include "log.h"
#include "notify.h"
#include "opener.h"
#include "report.h"

enum { LINK_PACE_MS = 1000 };

static void set_gauge(struct gauges *gauges, enum metric metric, double value)
{
	gauges->value[metric] = value;
	gauges->known[metric] = true;
}

static double highest_port_use(const struct agent *agent, const struct scan_result *scan)
{
	double highest = 0;

	for (unsigned int i = 0; i < agent->source.pool.count; i++) {
		double ports = agent->source.usable_ports[i];
		double use = ports ? 100.0 * scan->pool_ports[i] / ports : 0;

		if (use > highest)
			highest = use;
	}
	return highest;
}

static void take_gauges(struct agent *agent, const struct natxdp_counters *counters)
{
	const struct scan_result *scan = scan_last(agent->scan);
	struct gauges *gauges = &agent->now.gauges;
	uint64_t flows = counters_flows(counters);

	set_gauge(gauges, METRIC_FLOWS, flows);
	set_gauge(gauges, METRIC_FLOW_TABLE_USE,
		  100.0 * flows / agent->source.nat.config.max_flows);
	set_gauge(gauges, METRIC_HEALTHY, !health_fault(&agent->health));
	if (scan) {
		set_gauge(gauges, METRIC_ACTIVE_CONNECTIONS, scan_active_connections(scan));
		set_gauge(gauges, METRIC_PORT_USE, highest_port_use(agent, scan));
	}
	softirq_sample(&agent->softirq, gauges);
	if (agent->ha)
		ha_gauges(agent->ha, gauges);
}

unsigned int sampling_attached(const struct agent *agent)
{
	const struct instance *instance = &agent->source.files.instance;
	unsigned int count = 0;
	struct attached attached;

	for (unsigned int i = 0; i < instance->link_count; i++)
		count += !attach_query(instance->link[i].hook, instance->link[i].ifindex,
				       &attached) &&
			 attached.program && attached.program == instance->link[i].entry;
	return count;
}

void sampling_look_at_links(struct agent *agent)
{
	struct health_facts *facts = &agent->health;
	unsigned int attached = sampling_attached(agent);

	facts->links = agent->source.files.instance.link_count;
	/* perhaps of another load, which is no fault: the opener will know */
	if ((facts->active && attached >= facts->links) || !opener_ask(agent->opener))
		facts->attached = attached;
}

/* An interface that is gone is another fault, and the driver's own to answer for. */
static bool has_link(int fd, const char *iface)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr))
		return true;
	return ifr.ifr_flags & IFF_UP && ifr.ifr_flags & IFF_RUNNING;
}

/* Programs that are attached get no packets, and test packets need no wire. */
static void look_at_carrier(void *ctx)
{
	struct agent *agent = ctx;
	const struct instance *instance = &agent->source.files.instance;
	int64_t now = loop_monotonic_ms();
	unsigned int i = 0;

	while (i < instance->link_count && has_link(agent->ethtool, instance->link[i].name))
		i++;
	if (i == instance->link_count)
		agent->linkless_ms = 0;
	else if (!agent->linkless_ms)
		agent->linkless_ms = now;
	agent->health.linkless_ms = agent->linkless_ms ? now - agent->linkless_ms : 0;
	if (i < instance->link_count)
		snprintf(agent->linkless, sizeof(agent->linkless),
			 "%.15s has no carrier or is down: 'ip link show %.15s' says which",
			 instance->link[i].name, instance->link[i].name);
	agent->health.linkless = agent->linkless;
}

static void take_health(struct agent *agent, const struct natxdp_counters *counters, int64_t now)
{
	struct health_facts *facts = &agent->health;

	if (counters->events[NATXDP_EVENT_SWEEP_PASSES] != agent->sweep_passes)
		agent->sweep_seen_ms = now;
	agent->sweep_passes = counters->events[NATXDP_EVENT_SWEEP_PASSES];
	/* tables that a load has left for others are not active: the opener will know */
	if (agent->source.nat.config.active || !opener_ask(agent->opener))
		facts->active = agent->source.nat.config.active;
	facts->sweep_age_ms = now - agent->sweep_seen_ms;
	facts->counters_age_ms = now - agent->counters_seen_ms;
	sampling_look_at_links(agent);
}

static void take_totals(struct agent *agent, const struct natxdp_counters *counters)
{
	static const enum metric allowances[] = { METRIC_ALLOWANCE_BW_IN, METRIC_ALLOWANCE_BW_OUT,
						  METRIC_ALLOWANCE_PPS, METRIC_ALLOWANCE_CONNTRACK,
						  METRIC_ALLOWANCE_LINKLOCAL };
	const struct instance *instance = &agent->source.files.instance;
	struct sample *now = &agent->now;

	totals_count(&now->totals, counters);
	agent->records_lost = counters->events[NATXDP_EVENT_RECORDS_LOST];
	keep_totals(agent->source.keep, agent->records_lost, &now->totals);
	if (agent->ha)
		ha_totals(agent->ha, &now->totals);
	for (unsigned int i = 0; i < sizeof(allowances) / sizeof(*allowances); i++)
		now->totals.sum[allowances[i]] = 0;
	for (unsigned int i = 0; i < instance->link_count; i++)
		ena_read(agent->ethtool, instance->link[i].name, &now->totals, &now->gauges);
}

static void end_interval(struct agent *agent, int64_t wall)
{
	const struct keep_base *base = keep_last(agent->source.keep);

	interval_end(&agent->interval, &base->totals);
	agent->published = agent->interval;
	agent->published_ms = wall;
	if (agent->cloud)
		cloud_interval(agent->cloud, base, wall);
	keep_save(agent->source.keep, &agent->now.totals, wall);
	if (agent->report)
		report_interval(agent->report, wall);
	if (agent->talkers)
		talkers_clear(agent->talkers);
	interval_begin(&agent->interval);
}

static bool take_sample(struct agent *agent)
{
	struct natxdp_counters counters;
	int64_t now = loop_monotonic_ms();

	if (source_refresh(&agent->source) || counters_read(&agent->source.nat, &counters)) {
		agent->health.counters_age_ms = now - agent->counters_seen_ms;
		return false;
	}
	agent->counters_seen_ms = now;
	agent->now.monotonic_ms = now;
	memset(&agent->now.gauges, 0, sizeof(agent->now.gauges));
	take_totals(agent, &counters);
	take_health(agent, &counters, now);
	proof_sample(agent, &counters, now);
	take_gauges(agent, &counters);
	interval_sample(&agent->interval, &agent->now);
	return true;
}

static void sample(void *ctx)
{
	struct agent *agent = ctx;
	int64_t end;

	if (!take_sample(agent))
		return;
	end = interval_over(&agent->wall_seen_ms, loop_wall_ms(), agent->conf.interval);
	if (end)
		end_interval(agent, end);
}

static void slice(void *ctx)
{
	struct agent *agent = ctx;

	if (!scan_slice(agent->scan))
		return;
	agent->walking = false;
	loop_timer_once(agent->slice_timer, -1);
}

static void scan(void *ctx)
{
	struct agent *agent = ctx;

	if (agent->walking) /* a large table takes longer than the configured time */
		return;
	agent->walking = true;
	scan_set_standby(agent->scan, source_standby(&agent->source));
	scan_begin(agent->scan);
	loop_timer_every(agent->slice_timer, SCAN_PACE_MS);
	slice(agent);
}

static void watchdog(void *ctx)
{
	struct agent *agent = ctx;
	const char *fault = health_fault(&agent->health);

	notify_send("WATCHDOG=1\nSTATUS=%s", fault ? fault : "the data path is well");
}

void sampling_follow(struct agent *agent)
{
	agent->walking = false;
	agent->sweep_seen_ms = loop_monotonic_ms();
	agent->source.table.next = 0;
	loop_timer_once(agent->slice_timer, -1);
}

int sampling_start(struct agent *agent)
{
	uint32_t watchdog_ms = notify_watchdog_ms();

	agent->walking = false;
	agent->began_ms = loop_monotonic_ms();
	agent->wall_seen_ms = loop_wall_ms();
	agent->sweep_seen_ms = agent->counters_seen_ms = agent->began_ms;
	interval_begin(&agent->interval);
	agent->interval.rate_min_ms = agent->conf.sample / 5 * 4;
	agent->slice_timer = loop_timer(agent->loop, slice, agent);
	agent->scan_timer = loop_wall_timer(agent->loop, agent->conf.scan, scan, agent);
	agent->sample_timer = loop_wall_timer(agent->loop, agent->conf.sample, sample, agent);
	agent->watchdog = loop_timer(agent->loop, watchdog, agent);
	agent->link_timer = loop_timer(agent->loop, look_at_carrier, agent);
	if (agent->slice_timer < 0 || agent->link_timer < 0 || agent->scan_timer < 0 ||
	    agent->sample_timer < 0 || agent->watchdog < 0)
		return -1;
	loop_timer_every(agent->link_timer, LINK_PACE_MS);
	if (watchdog_ms)
		loop_timer_every(agent->watchdog, watchdog_ms);
	scan(agent);
	take_sample(agent);
	return 0;
}

void sampling_stop(struct agent *agent)
{
	loop_timer_free(agent->loop, agent->slice_timer);
	loop_timer_free(agent->loop, agent->scan_timer);
	loop_timer_free(agent->loop, agent->sample_timer);
	loop_timer_free(agent->loop, agent->link_timer);
	loop_timer_free(agent->loop, agent->watchdog);
	agent->slice_timer = agent->scan_timer = agent->sample_timer = agent->link_timer =
		agent->watchdog = -1;
}
