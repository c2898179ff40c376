/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "traffic.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void read_web(struct traffic *traffic, const char *output)
{
	char url[1024];
	double connect, total, sum = 0;
	int code;

	for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (sscanf(line, "%1023s %d %lf %lf", url, &code, &connect, &total) != 4)
			continue;
		traffic->tried++;
		if (code < 200 || code > 399)
			continue;
		traffic->done++;
		sum += total * 1000;
	}
	if (traffic->done)
		traffic->latency_ms = sum / traffic->done;
}

static double rate_of(const cJSON *document)
{
	const cJSON *end = cJSON_GetObjectItemCaseSensitive(document, "end");
	const cJSON *sum = cJSON_GetObjectItemCaseSensitive(end, "sum_received");
	const cJSON *rate = cJSON_GetObjectItemCaseSensitive(sum, "bits_per_second");

	return cJSON_IsNumber(rate) ? rate->valuedouble : 0;
}

static void read_throughput(struct traffic *traffic, const char *output)
{
	const char *rest = strchr(output, '{');

	while (rest && *rest) {
		const char *end = NULL;
		cJSON *document = cJSON_ParseWithOpts(rest, &end, false);
		double rate = rate_of(document);

		cJSON_Delete(document);
		traffic->tried++;
		if (rate > 0) {
			traffic->done++;
			if (!traffic->bits_per_second || rate < traffic->bits_per_second)
				traffic->bits_per_second = rate;
		}
		rest = document && end ? strchr(end, '{') : NULL;
	}
}

void traffic_read(struct traffic *traffic, const char *use, const char *output)
{
	memset(traffic, 0, sizeof(*traffic));
	if (!strcmp(use, "web"))
		read_web(traffic, output);
	else
		read_throughput(traffic, output);
}
