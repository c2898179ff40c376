/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "tcp_load.h"

enum { LISTED_MAX = 2000 }; /* lost connections that are told of one by one */

static int by_value(const void *one, const void *other)
{
	double difference = *(const double *)one - *(const double *)other;

	return (difference > 0) - (difference < 0);
}

static void count_up(cJSON *object, const char *name)
{
	cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);

	if (number)
		cJSON_SetNumberValue(number, number->valuedouble + 1);
	else
		cJSON_AddNumberToObject(object, name, 1);
}

static const char *reason(int why)
{
	switch (why) {
	case LOAD_EOF:
		return "closed by the server";
	case LOAD_CORRUPT:
		return "corrupt";
	case LOAD_PEER:
		return "another public address";
	default:
		return strerror(why);
	}
}

static cJSON *gaps(const struct load *load, double now)
{
	double *gap = calloc(load->count + 1, sizeof(*gap));
	cJSON *object = cJSON_CreateObject();
	uint32_t count = 0;

	for (uint32_t i = 0; gap && i < load->count; i++) {
		const struct connection *conn = &load->connections[i];
		double waits = conn->waits && conn->state == OPEN ? now - conn->sent_at : 0;

		if (conn->state == OPEN)
			gap[count++] = waits > conn->gap ? waits : conn->gap;
	}
	if (count) {
		qsort(gap, count, sizeof(*gap), by_value);
		cJSON_AddNumberToObject(object, "p50", gap[count / 2] * 1e3);
		cJSON_AddNumberToObject(object, "p99", gap[count * 99 / 100] * 1e3);
		cJSON_AddNumberToObject(object, "max", gap[count - 1] * 1e3);
	}
	free(gap);
	return object;
}

static void add_lost(cJSON *list, const struct connection *conn)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "why", reason(conn->why));
	cJSON_AddNumberToObject(item, "opened_at", conn->opened_at);
	cJSON_AddNumberToObject(item, "lost_at", conn->lost_at);
	cJSON_AddItemToArray(list, item);
}

void load_report(const struct load *load, const char *order)
{
	uint32_t of_state[LOST + 1] = { 0 }, answered = 0, waiting = 0;
	cJSON *object = cJSON_CreateObject(), *errors = cJSON_CreateObject();
	cJSON *public = cJSON_CreateObject(), *lost = cJSON_CreateArray();
	char text[INET_ADDRSTRLEN], *line;

	for (uint32_t i = 0; i < load->count; i++) {
		const struct connection *conn = &load->connections[i];

		of_state[conn->state]++;
		answered += conn->state == OPEN && conn->answered;
		waiting += conn->state == OPEN && conn->waits;
		if (conn->state == OPEN && conn->peer)
			count_up(public, inet_ntop(AF_INET, &conn->peer, text, sizeof(text)));
		if (conn->state == FAILED || conn->state == LOST)
			count_up(errors, reason(conn->why));
		if (conn->state == LOST && of_state[LOST] <= LISTED_MAX)
			add_lost(lost, conn);
	}
	cJSON_AddStringToObject(object, "event", order);
	cJSON_AddNumberToObject(object, "wanted", load->wanted);
	cJSON_AddNumberToObject(object, "connecting", of_state[CONNECTING]);
	cJSON_AddNumberToObject(object, "open", of_state[OPEN]);
	cJSON_AddNumberToObject(object, "failed", of_state[FAILED]);
	cJSON_AddNumberToObject(object, "lost", of_state[LOST]);
	cJSON_AddNumberToObject(object, "answered", answered);
	cJSON_AddNumberToObject(object, "waiting", waiting);
	cJSON_AddNumberToObject(object, "messages", load->messages);
	cJSON_AddItemToObject(object, "gap_ms", gaps(load, load_now()));
	cJSON_AddItemToObject(object, "errors", errors);
	cJSON_AddItemToObject(object, "public", public);
	cJSON_AddItemToObject(object, "lost_connections", lost);
	line = cJSON_PrintUnformatted(object);
	puts(line ? line : "{}");
	fflush(stdout);
	cJSON_free(line);
	cJSON_Delete(object);
}
