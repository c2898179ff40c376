/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * nat-health-probe: proves the egress of each node, round after round while
 * its time lasts, and publishes NATReachability (percent of the targets) and
 * Latency for each zone and each instance.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/elb.h"
#include "evidence.h"
#include "functions.h"
#include "job.h"
#include "loop.h"
#include "pages.h"
#include "reach.h"

enum {
	PAGE_TIMEOUT_MS = 2000,
	/* the document gives its targets three seconds, all at a time */
	REACH_FIRST_MS = 3000,
	REACH_REST_MS = 5000,
	ROUND_MS = 3000,   /* the deadline shortens a round, but not to less than this */
	PERIOD_MS = 60000, /* then EventBridge starts the next one */
	/* a round with a dead node takes 5.2 s; the rest is for its values' way to the alarm */
	LOOK_MS = 6500,
	ZONES_MAX = 16,
};

struct probe {
	struct job *job;
	struct fleet fleet;
	struct evidence evidence[FLEET_NODES_MAX];
	enum verdict verdict[FLEET_NODES_MAX];
	double percent[FLEET_NODES_MAX];
	struct page *page;
};

static void ask_agents(struct probe *probe)
{
	const struct setup *setup = probe->job->setup;

	for (unsigned int i = 0; i < probe->fleet.count; i++)
		snprintf(probe->page[i].url, sizeof(probe->page[i].url), "http://%s:%u/healthz",
			 probe->fleet.node[i].address, setup->agent_port);
	pages_fetch(probe->page, probe->fleet.count, PAGE_TIMEOUT_MS);
	for (unsigned int i = 0; i < probe->fleet.count; i++) {
		probe->evidence[i].agent = probe->page[i].status == 200 ? OPINION_WELL :
									  OPINION_ILL;
		probe->evidence[i].alive = probe->page[i].refused;
	}
}

static void on_health(void *ctx, const struct aws_result *result)
{
	const struct aws_target_states *states = result->output;
	struct probe *probe = ctx;
	struct node *node;

	if (result->fault != AWS_OK) {
		say(LEVEL_WARN, NULL, "target health is not known: %s", result->message);
		return;
	}
	for (size_t i = 0; i < states->count; i++) {
		const struct aws_target_state *state = &states->items[i];

		node = fleet_find(&probe->fleet, state->id);
		if (!node)
			continue;
		if (!strcmp(state->state, "healthy"))
			probe->evidence[node - probe->fleet.node].target = OPINION_WELL;
		else if (!strcmp(state->state, "unhealthy"))
			probe->evidence[node - probe->fleet.node].target = OPINION_ILL;
	}
}

static void ask_load_balancer(struct probe *probe)
{
	struct job *job = probe->job;
	const cJSON *group;

	cJSON_ArrayForEach(group, job->setup->target_groups)
		job_sent(job, aws_elb_target_health(job->client, group->valuestring, 0, NULL,
						    job_caller(job, on_health, probe)));
	job_await(job);
}

/* Not even its kernel says a word, nor does anybody say one for it: it will not answer this either. */
static bool is_silent(const struct probe *probe, unsigned int i)
{
	return probe->evidence[i].agent == OPINION_ILL &&
	       probe->evidence[i].target == OPINION_ILL && !probe->evidence[i].alive;
}

static bool is_waited_for(const struct probe *probe)
{
	for (unsigned int i = 0; i < probe->fleet.count; i++) {
		if (!probe->evidence[i].asked && !is_silent(probe, i))
			return true;
	}
	return false;
}

/* While the nodes try their egress, the others are asked. */
static int ask_all(struct probe *probe)
{
	struct reach *reach = reach_start(probe->job, &probe->fleet);

	if (!reach)
		return -EIO;
	ask_load_balancer(probe);
	ask_agents(probe);
	if (reach_wait(reach, REACH_FIRST_MS, probe->evidence) && is_waited_for(probe))
		reach_wait(reach, REACH_REST_MS, probe->evidence);
	reach_end(reach);
	return job_failure(probe->job);
}

static const char *opinion_name(enum opinion opinion)
{
	static const char *const names[] = { "unknown", "well", "ill" };

	return names[opinion];
}

/* Judges a node, says so, and publishes it. */
static void judge(struct probe *probe, unsigned int i, cJSON *nodes)
{
	static const char *const names[] = { "unknown", "reaches", "cut off" };
	const struct evidence *evidence = &probe->evidence[i];
	const struct node *node = &probe->fleet.node[i];
	const struct gauge_dimension dimensions[] = { { "AvailabilityZone", node->zone },
						      { "InstanceId", node->id },
						      { NULL, NULL } };
	struct gauge gauges[] = { { "NATReachability", "Percent", 0 },
				  { "Latency", "Milliseconds", evidence->latency_ms } };
	cJSON *fields = cJSON_CreateObject();

	probe->verdict[i] = evidence_judge(evidence, &probe->percent[i]);
	gauges[0].value = probe->percent[i];
	cJSON_AddStringToObject(fields, "instance", node->id);
	cJSON_AddStringToObject(fields, "node", node->name);
	cJSON_AddStringToObject(fields, "zone", node->zone);
	cJSON_AddStringToObject(fields, "decision", names[probe->verdict[i]]);
	cJSON_AddStringToObject(fields, "agent", opinion_name(evidence->agent));
	cJSON_AddStringToObject(fields, "target", opinion_name(evidence->target));
	cJSON_AddStringToObject(fields, "path", opinion_name(evidence->path));
	cJSON_AddNumberToObject(fields, "reached", evidence->reached);
	cJSON_AddNumberToObject(fields, "asked", evidence->asked);
	cJSON_AddNumberToObject(fields, "latencyMs", evidence->latency_ms);
	cJSON_AddItemToArray(nodes, cJSON_Duplicate(fields, true));
	say(probe->verdict[i] == VERDICT_REACHES ? LEVEL_INFO : LEVEL_WARN, fields,
	    "%s in %s: %s, %u of %u targets", node->id, node->zone, names[probe->verdict[i]],
	    evidence->reached, evidence->asked);
	if (probe->verdict[i] != VERDICT_UNKNOWN)
		say_gauges(probe->job->setup->nat, dimensions, evidence->reached ? 2 : 1, gauges,
			   true);
}

/*
 * A zone reaches what the worst of its nodes reaches, for who stands by must be
 * able to take over; without a node that runs, nothing.
 */
static void publish_zone(const struct probe *probe, const char *zone)
{
	const struct gauge_dimension dimensions[] = { { "AvailabilityZone", zone },
						      { NULL, NULL } };
	struct gauge gauges[] = { { "NATReachability", "Percent", 100 },
				  { "Latency", "Milliseconds", 0 } };
	unsigned int nodes = 0, known = 0;

	for (unsigned int i = 0; i < probe->fleet.count; i++) {
		if (strcmp(probe->fleet.node[i].zone, zone))
			continue;
		nodes++;
		if (probe->verdict[i] == VERDICT_UNKNOWN)
			continue;
		known++;
		if (probe->percent[i] < gauges[0].value)
			gauges[0].value = probe->percent[i];
		if (probe->evidence[i].latency_ms > gauges[1].value)
			gauges[1].value = probe->evidence[i].latency_ms;
	}
	if (nodes && !known)
		return;
	if (!nodes)
		gauges[0].value = 0;
	say_gauges(probe->job->setup->nat, dimensions, gauges[1].value > 0 ? 2 : 1, gauges, true);
}

static void add_zone(const char **zones, unsigned int *count, const char *zone)
{
	for (unsigned int i = 0; i < *count; i++) {
		if (!strcmp(zones[i], zone))
			return;
	}
	if (*count < ZONES_MAX)
		zones[(*count)++] = zone;
}

/* Those of the route tables, and of the nodes, for gwlb mode has no tables. */
static void publish_zones(const struct probe *probe)
{
	const char *zones[ZONES_MAX];
	unsigned int count = 0;
	const cJSON *table;

	cJSON_ArrayForEach(table, probe->job->setup->route_tables)
		if (cJSON_IsString(table))
			add_zone(zones, &count, table->valuestring);
	for (unsigned int i = 0; i < probe->fleet.count; i++)
		add_zone(zones, &count, probe->fleet.node[i].zone);
	for (unsigned int i = 0; i < count; i++)
		publish_zone(probe, zones[i]);
}

static int round_of(struct probe *probe)
{
	struct job *job = probe->job;
	cJSON *nodes;
	int ret = fleet_read(job, "natxdp:module", "nat", &probe->fleet);

	if (ret)
		return ret;
	fleet_keep_running(&probe->fleet);
	memset(probe->evidence, 0, sizeof(probe->evidence));
	ret = ask_all(probe);
	if (ret)
		return ret;
	cJSON_DeleteItemFromObject(job->answer, "nodes");
	nodes = cJSON_AddArrayToObject(job->answer, "nodes");
	for (unsigned int i = 0; i < probe->fleet.count; i++)
		judge(probe, i, nodes);
	publish_zones(probe);
	return 0;
}

/*
 * Until the next round begins. Alarms look at the clock's whole intervals, each when it
 * is over: a round that ends shortly before that is the one that is known soonest.
 */
static int64_t pause_of(int64_t interval)
{
	return interval - (loop_wall_ms() + LOOK_MS) % interval;
}

/* One round at once, and then one in each interval until the next invocation takes over. */
static int probe_on(struct probe *probe)
{
	int64_t interval = probe->job->setup->probe_interval_s * 1000;
	int64_t end = loop_monotonic_ms() + PERIOD_MS, pause;
	int ret, rounds = 0;

	do {
		ret = round_of(probe);
		rounds += !ret;
		pause = interval ? pause_of(interval) : 0;
		if (!interval || loop_monotonic_ms() + pause >= end ||
		    job_left_ms(probe->job) < pause + ROUND_MS)
			break;
	} while (!ret && job_pause(probe->job, pause));
	cJSON_AddNumberToObject(probe->job->answer, "rounds", rounds);
	return ret;
}

int fn_health_probe(struct job *job)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int ret;

	if (probe)
		probe->page = calloc(FLEET_NODES_MAX, sizeof(*probe->page));
	if (probe && probe->page) {
		probe->job = job;
		ret = probe_on(probe);
		free(probe->page);
	} else {
		ret = job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	}
	free(probe);
	return ret;
}
