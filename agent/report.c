/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "json.h"
#include "sinks.h"

struct report {
	struct agent *agent;
	struct logsink *logs;
	uint64_t lost; /* as keep has it */
};

static cJSON *metadata(int64_t wall_ms)
{
	static const char *const dimensions[] = { "NatId", "AvailabilityZone", "Kind", "Rank" };
	cJSON *aws = cJSON_CreateObject(), *list, *directive, *sets, *metric;

	cJSON_AddNumberToObject(aws, "Timestamp", wall_ms);
	list = cJSON_AddArrayToObject(aws, "CloudWatchMetrics");
	directive = cJSON_CreateObject();
	cJSON_AddItemToArray(list, directive);
	cJSON_AddStringToObject(directive, "Namespace", METRIC_NAMESPACE);
	sets = cJSON_AddArrayToObject(directive, "Dimensions");
	cJSON_AddItemToArray(sets, cJSON_CreateStringArray(dimensions, 4));
	list = cJSON_AddArrayToObject(directive, "Metrics");
	metric = cJSON_CreateObject();
	cJSON_AddStringToObject(metric, "Name", "TopTalkerBytes");
	cJSON_AddStringToObject(metric, "Unit", "Bytes");
	cJSON_AddItemToArray(list, metric);
	return aws;
}

char *report_event(const char *nat_id, const char *zone, enum talker_kind kind, unsigned int rank,
		   const struct sketch_item *item, int64_t wall_ms)
{
	cJSON *object = cJSON_CreateObject();
	char name[TALKER_NAME_MAX], number[16];
	char *text;

	talkers_name(kind, item->key, name);
	snprintf(number, sizeof(number), "%u", rank);
	cJSON_AddItemToObject(object, "_aws", metadata(wall_ms));
	cJSON_AddStringToObject(object, "NatId", nat_id);
	cJSON_AddStringToObject(object, "AvailabilityZone", zone);
	cJSON_AddStringToObject(object, "Kind", talker_kind_names[kind]);
	cJSON_AddStringToObject(object, "Rank", number);
	cJSON_AddStringToObject(object, "Talker", name);
	json_add_count(object, "TopTalkerBytes", item->weight);
	json_add_count(object, "TopTalkerBytesError", item->error);
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	return text;
}

struct report *report_start(struct agent *agent)
{
	struct report *report = calloc(1, sizeof(*report));
	char host[128] = "natxdp", stream[CONF_TEXT_MAX];

	if (!report)
		return NULL;
	gethostname(host, sizeof(host) - 1);
	snprintf(stream, sizeof(stream), "talkers/%.100s/%.100s", agent->conf.nat_id, host);
	report->agent = agent;
	report->logs = logsink_open(agent, agent->conf.talkers_logs, stream);
	if (report->logs)
		return report;
	free(report);
	return NULL;
}

static void tell(struct report *report)
{
	uint64_t lost = logsink_counts(report->logs).lost;

	keep_add(report->agent->source.keep, KEEP_DATA_LOST, lost - report->lost);
	report->lost = lost;
}

void report_interval(struct report *report, int64_t wall_ms)
{
	struct sketch_item top[SKETCH_TOP_MAX];
	const struct agent *agent = report->agent;
	/* a metric is of the time at which its interval began, as those that are put */
	int64_t begin_ms = wall_ms - agent->conf.interval;
	unsigned int count;
	char *text;

	for (int kind = 0; kind < TALKER_KINDS; kind++) {
		count = talkers_top(agent->talkers, kind, top, agent->conf.talkers);
		for (unsigned int i = 0; i < count; i++) {
			text = report_event(agent->conf.nat_id, agent->zone, kind, i + 1, &top[i],
					    begin_ms);
			if (text)
				logsink_add(report->logs, wall_ms, text, strlen(text));
			free(text);
		}
	}
	logsink_flush(report->logs);
	tell(report);
}

void report_stop(struct report *report)
{
	if (!report)
		return;
	logsink_drop(report->logs);
	tell(report);
	logsink_close(report->logs);
	free(report);
}
