/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "status_json.h"

#include <stdlib.h>

#include "agent.h"
#include "aws/client.h"
#include "cloud.h"
#include "ha/ha.h"
#include "json.h"
#include "records.h"
#include "solo.h"
#include "version.h"
#include "watch_imds.h"

static void add_health(cJSON *object, const struct agent *agent)
{
	const char *fault = health_fault(&agent->health), *unready = health_unready(&agent->health);

	cJSON_AddBoolToObject(object, "healthy", !fault);
	cJSON_AddBoolToObject(object, "ready", !unready);
	if (unready)
		cJSON_AddStringToObject(object, "why", unready);
	cJSON_AddNumberToObject(object, "sweep_age_ms", agent->health.sweep_age_ms);
	cJSON_AddNumberToObject(object, "interfaces", agent->health.links);
	cJSON_AddNumberToObject(object, "attached", agent->health.attached);
}

static void add_flows(cJSON *object, const struct agent *agent)
{
	const struct scan_result *scan = scan_last(agent->scan);

	json_add_count(object, "flows", (uint64_t)agent->now.gauges.value[METRIC_FLOWS]);
	json_add_count(object, "max_flows", agent->source.nat.config.max_flows);
	if (scan)
		json_add_count(object, "active_connections", scan_active_connections(scan));
}

static void add_talkers(cJSON *object, const struct agent *agent)
{
	struct sketch_item top[SKETCH_TOP_MAX];
	char name[TALKER_NAME_MAX];
	cJSON *list, *item;
	unsigned int count, max = agent->conf.talkers;

	for (int kind = 0; kind < TALKER_KINDS; kind++) {
		list = cJSON_AddArrayToObject(object, talker_kind_names[kind]);
		count = talkers_top(agent->talkers, kind, top,
				    max < SKETCH_TOP_MAX ? max : SKETCH_TOP_MAX);
		for (unsigned int i = 0; i < count; i++) {
			talkers_name(kind, top[i].key, name);
			item = cJSON_CreateObject();
			cJSON_AddStringToObject(item, "name", name);
			json_add_count(item, "bytes", top[i].weight);
			json_add_count(item, "error", top[i].error);
			cJSON_AddItemToArray(list, item);
		}
	}
}

static void add_aws(cJSON *object, const struct cloud *cloud, struct aws_client *client)
{
	struct aws_stats stats;

	aws_client_stats(client, &stats);
	cJSON_AddStringToObject(object, "region", aws_client_region(client));
	json_add_count(object, "intervals_waiting", cloud_waiting(cloud));
	json_add_count(object, "attempts", stats.attempts);
	json_add_count(object, "retries", stats.retries);
	json_add_count(object, "throttles", stats.throttles);
	json_add_count(object, "queue_full", stats.queue_full);
	cJSON_AddNumberToObject(object, "clock_skew_ms", stats.clock_skew_ms);
}

void status_json_write(const struct agent *agent, FILE *out)
{
	cJSON *object = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(object, "version", NATXDP_VERSION);
	cJSON_AddStringToObject(object, "nat_id", agent->conf.nat_id);
	cJSON_AddStringToObject(object, "zone", agent->zone);
	cJSON_AddNumberToObject(object, "uptime_ms", loop_monotonic_ms() - agent->began_ms);
	json_add_count(object, "starts", agent->source.keep->count[KEEP_STARTS]);
	add_health(cJSON_AddObjectToObject(object, "health"), agent);
	add_flows(cJSON_AddObjectToObject(object, "table"), agent);
	if (agent->talkers)
		add_talkers(cJSON_AddObjectToObject(object, "talkers"), agent);
	if (agent->records)
		records_status(agent->records, cJSON_AddObjectToObject(object, "records"));
	if (agent->cloud)
		add_aws(cJSON_AddObjectToObject(object, "aws"), agent->cloud,
			cloud_client(agent->cloud));
	if (agent->watch)
		watch_status(agent->watch, cJSON_AddObjectToObject(object, "instance"));
	if (agent->ha)
		ha_status(agent->ha, cJSON_AddObjectToObject(object, "failover"));
	if (agent->solo)
		solo_status(agent->solo, cJSON_AddObjectToObject(object, "drain"));
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	fprintf(out, "%s\n", text ? text : "{}");
	free(text);
}
