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
#include "command.h"
#include "evidence.h"
#include "functions.h"
#include "job.h"
#include "loop.h"
#include "pages.h"

enum {
	PAGE_TIMEOUT_MS = 3000,
	REACH_WAIT_MS = 20000, /* the document gives each target five seconds */
	ZONES_MAX = 16,
};

struct probe {
	struct job *job;
	struct fleet fleet;
	struct evidence evidence[FLEET_NODES_MAX];
	enum verdict verdict[FLEET_NODES_MAX];
	double percent[FLEET_NODES_MAX];
	struct page *page;
	struct outcome *outcome;
};

static unsigned int count_targets(const char *list)
{
	unsigned int count = *list != '\0';

	for (; *list; list++)
		count += *list == ',';
	return count;
}

static void ask_agents(struct probe *probe)
{
	const struct setup *setup = probe->job->setup;

	for (unsigned int i = 0; i < probe->fleet.count; i++)
		snprintf(probe->page[i].url, sizeof(probe->page[i].url), "http://%s:%u/healthz",
			 probe->fleet.node[i].address, setup->agent_port);
	pages_fetch(probe->page, probe->fleet.count, PAGE_TIMEOUT_MS);
	for (unsigned int i = 0; i < probe->fleet.count; i++)
		probe->evidence[i].agent = probe->page[i].status == 200 ? OPINION_WELL :
									  OPINION_ILL;
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

static int ask_nodes(struct probe *probe)
{
	struct job *job = probe->job;
	const char *instances[FLEET_NODES_MAX];
	char targets[1024];
	const struct aws_document_parameter parameter = { "targets", targets };
	struct aws_document document = { .parameter_count = 1,
					 .parameters = &parameter,
					 .timeout_s = 30 };
	unsigned int expected = count_targets(job->setup->probe_targets);

	document.name = setup_document(job->setup, "reach", &job->err);
	if (!document.name)
		return -ENOENT;
	if (!expected)
		return job_fail(job, STATUS_CONFIG, EINVAL,
				"NATXDP_PROBE_TARGETS is not set: host:port, with commas between");
	snprintf(targets, sizeof(targets), "%s", job->setup->probe_targets);
	for (char *comma = targets; (comma = strchr(comma, ',')); comma++)
		*comma = ' ';
	for (unsigned int i = 0; i < probe->fleet.count; i++)
		instances[i] = probe->fleet.node[i].id;
	command_run(job, &document, REACH_WAIT_MS, probe->fleet.count, instances, probe->outcome);
	for (unsigned int i = 0; i < probe->fleet.count; i++) {
		if (probe->outcome[i].ended)
			evidence_read(&probe->evidence[i], probe->outcome[i].output, expected);
	}
	return job_failure(job);
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
	ask_agents(probe);
	ask_load_balancer(probe);
	ret = ask_nodes(probe);
	if (ret)
		return ret;
	cJSON_DeleteItemFromObject(job->answer, "nodes");
	nodes = cJSON_AddArrayToObject(job->answer, "nodes");
	for (unsigned int i = 0; i < probe->fleet.count; i++)
		judge(probe, i, nodes);
	publish_zones(probe);
	return 0;
}

int fn_health_probe(struct job *job)
{
	int64_t interval = job->setup->probe_interval_s * 1000, began;
	struct probe *probe = calloc(1, sizeof(*probe));
	int ret, rounds = 0;

	if (!probe)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	probe->job = job;
	probe->page = calloc(FLEET_NODES_MAX, sizeof(*probe->page));
	probe->outcome = calloc(FLEET_NODES_MAX, sizeof(*probe->outcome));
	if (!probe->page || !probe->outcome) {
		ret = job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
		goto out;
	}
	do {
		began = loop_monotonic_ms();
		ret = round_of(probe);
		rounds += !ret;
		if (!ret && (!interval || job_left_ms(job) < 2 * interval))
			break; /* the next round would be cut off */
	} while (!ret && job_pause(job, began + interval - loop_monotonic_ms()));
	cJSON_AddNumberToObject(job->answer, "rounds", rounds);
out:
	free(probe->page);
	free(probe->outcome);
	free(probe);
	return ret;
}
