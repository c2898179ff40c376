/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aws/utf8.h"

static struct {
	enum level least;
	const char *function;
	const char *request;
} speaker;

void say_begin(enum level least, const char *function, const char *request)
{
	speaker.least = least;
	speaker.function = function;
	speaker.request = request;
}

/* One write a line: the service splits what comes in pieces. */
static void print(cJSON *line)
{
	char *text = cJSON_PrintUnformatted(line);

	cJSON_Delete(line);
	if (!text)
		return;
	aws_utf8_mend(text);
	fprintf(stdout, "%s\n", text);
	fflush(stdout);
	cJSON_free(text);
}

static void add_time(cJSON *line)
{
	struct timespec now;
	char date[32], text[48];
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, sizeof(text), "%s.%03ldZ", date, now.tv_nsec / 1000000);
	cJSON_AddStringToObject(line, "time", text);
}

void say(enum level level, cJSON *fields, const char *fmt, ...)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	cJSON *line, *field;
	char text[512];
	va_list args;

	if (level < speaker.least) {
		cJSON_Delete(fields);
		return;
	}
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	line = cJSON_CreateObject();
	add_time(line);
	cJSON_AddStringToObject(line, "level", names[level]);
	cJSON_AddStringToObject(line, "function", speaker.function ? speaker.function : "");
	cJSON_AddStringToObject(line, "requestId", speaker.request ? speaker.request : "");
	cJSON_AddStringToObject(line, "message", text);
	while (fields && (field = fields->child))
		cJSON_AddItemToObject(line, field->string,
				      cJSON_DetachItemViaPointer(fields, field));
	cJSON_Delete(fields);
	print(line);
}

void say_gauges(const char *nat, const struct gauge_dimension *dimensions, unsigned int count,
		const struct gauge *gauges, bool fine)
{
	cJSON *line = cJSON_CreateObject(), *aws = cJSON_AddObjectToObject(line, "_aws");
	cJSON *directive = cJSON_CreateObject(), *metrics, *names, *metric;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	cJSON_AddNumberToObject(aws, "Timestamp",
				(double)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(aws, "CloudWatchMetrics"), directive);
	cJSON_AddStringToObject(directive, "Namespace", "NATXDP");
	names = cJSON_CreateArray();
	cJSON_AddItemToArray(cJSON_AddArrayToObject(directive, "Dimensions"), names);
	metrics = cJSON_AddArrayToObject(directive, "Metrics");
	cJSON_AddItemToArray(names, cJSON_CreateString("NatId"));
	cJSON_AddStringToObject(line, "NatId", nat);
	for (; dimensions->name; dimensions++) {
		cJSON_AddItemToArray(names, cJSON_CreateString(dimensions->name));
		cJSON_AddStringToObject(line, dimensions->name, dimensions->value);
	}
	for (unsigned int i = 0; i < count; i++) {
		metric = cJSON_CreateObject();
		cJSON_AddStringToObject(metric, "Name", gauges[i].name);
		cJSON_AddStringToObject(metric, "Unit", gauges[i].unit);
		if (fine)
			cJSON_AddNumberToObject(metric, "StorageResolution", 1);
		cJSON_AddItemToArray(metrics, metric);
		cJSON_AddNumberToObject(line, gauges[i].name, gauges[i].value);
	}
	print(line);
}

static bool is_first_of_zone(const struct setup *setup, const cJSON *table)
{
	const cJSON *other;

	cJSON_ArrayForEach(other, setup->route_tables) {
		if (cJSON_IsString(other) && !strcmp(other->valuestring, table->valuestring))
			break;
	}
	return other == table;
}

void say_everywhere(const struct setup *setup, const struct gauge *gauge)
{
	const cJSON *table;

	cJSON_ArrayForEach(table, setup->route_tables) {
		const struct gauge_dimension zone[] = { { "AvailabilityZone", table->valuestring },
							{ NULL, NULL } };

		if (cJSON_IsString(table) && is_first_of_zone(setup, table))
			say_gauges(setup->nat, zone, 1, gauge, false);
	}
}
