/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * driver OPTIONS: the AWS client as a process that tests talk to. OPTIONS is a
 * JSON object of the members of struct aws_options. Each line of input is a
 * JSON object:
 *
 *   {"id": 1, "call": "ReplaceRoute", "args": {...}, "budget_ms": 0, "attempts": 0}
 *   {"id": 2, "imds": "/latest/...", "budget_ms": 0}
 *   {"id": 3, "stats": true}
 *   {"id": 4, "cancel": 1}
 *   {"id": 5, "table": true}
 *   {"id": 6, "endpoint": "EC2", "region": "eu-central-1", "fips": false, "dualstack": false}
 *
 * and is answered, when it is done, by a line with the same id. Ends at the
 * end of input.
 */
#include "driver.h"

#include <dlfcn.h>
#include <error.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <aws/calls.h>
#include <aws/endpoint.h>
#include <aws/imds.h>

#include "epoll_loop.h"

struct pending {
	struct pending *next;
	int64_t number;
	int id;
};

/*
 * In place of libc's, for libcurl: names below .slow.test take three seconds to
 * be unknown, as those of a name server that is down do.
 */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **result)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	size_t length = node ? strlen(node) : 0;

	if (length > 10 && strcmp(node + length - 10, ".slow.test") == 0) {
		sleep(3);
		return EAI_AGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, result);
}

static struct aws_client *client;
static struct epoll_loop loop;
static struct pending *pendings;

static void say(cJSON *line)
{
	char *text = cJSON_PrintUnformatted(line);

	puts(text);
	fflush(stdout);
	cJSON_free(text);
	cJSON_Delete(line);
}

static cJSON *line_for(int id)
{
	cJSON *line = cJSON_CreateObject();

	cJSON_AddNumberToObject(line, "id", id);
	return line;
}

static void forget(struct pending *pending)
{
	struct pending **place = &pendings;

	while (*place != pending)
		place = &(*place)->next;
	*place = pending->next;
	free(pending);
}

static struct pending *remember(int id)
{
	struct pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		error(1, errno, "no memory");
	pending->id = id;
	pending->next = pendings;
	pendings = pending;
	return pending;
}

static void on_result(void *ctx, const struct aws_result *result)
{
	struct pending *pending = ctx;
	cJSON *line = line_for(pending->id);

	cJSON_AddStringToObject(line, "fault", aws_fault_name(result->fault));
	cJSON_AddStringToObject(line, "code", result->code);
	cJSON_AddStringToObject(line, "message", result->message);
	cJSON_AddStringToObject(line, "request_id", result->request_id);
	cJSON_AddNumberToObject(line, "status", result->status);
	cJSON_AddNumberToObject(line, "attempts", result->attempts);
	cJSON_AddNumberToObject(line, "duration_ms", (double)result->duration_ms);
	cJSON_AddBoolToObject(line, "maybe_done", result->maybe_done);
	if (result->fault == AWS_OK)
		cJSON_AddItemToObject(line, "output", driver_output(result));
	forget(pending);
	say(line);
}

static void on_document(void *ctx, const struct aws_document *document)
{
	struct pending *pending = ctx;
	cJSON *line = line_for(pending->id);

	cJSON_AddStringToObject(line, "fault", aws_fault_name(document->fault));
	cJSON_AddNumberToObject(line, "status", document->status);
	cJSON_AddStringToObject(line, "message", document->message);
	if (document->text)
		cJSON_AddStringToObject(line, "text", document->text);
	forget(pending);
	say(line);
}

static void say_stats(int id)
{
	struct aws_stats stats;
	struct rusage usage;
	cJSON *line = line_for(id);
	int service, fault;
	uint64_t calls = 0, ended[AWS_FAULTS] = { 0 };

	aws_client_stats(client, &stats);
	for (service = 0; service < AWS_SERVICES; service++) {
		calls += stats.calls[service];
		for (fault = 0; fault < AWS_FAULTS; fault++)
			ended[fault] += stats.ended[service][fault];
	}
	cJSON_AddNumberToObject(line, "calls", (double)calls);
	for (fault = 0; fault < AWS_FAULTS; fault++)
		cJSON_AddNumberToObject(line, aws_fault_name(fault), (double)ended[fault]);
	cJSON_AddNumberToObject(line, "attempts", (double)stats.attempts);
	cJSON_AddNumberToObject(line, "retries", (double)stats.retries);
	cJSON_AddNumberToObject(line, "throttles", (double)stats.throttles);
	cJSON_AddNumberToObject(line, "retries_denied", (double)stats.retries_denied);
	cJSON_AddNumberToObject(line, "queue_full", (double)stats.queue_full);
	cJSON_AddNumberToObject(line, "credentials_loaded", (double)stats.credentials_loaded);
	cJSON_AddNumberToObject(line, "credentials_failed", (double)stats.credentials_failed);
	cJSON_AddNumberToObject(line, "clock_skew_ms", (double)stats.clock_skew_ms);
	cJSON_AddNumberToObject(line, "in_flight", stats.in_flight);
	cJSON_AddNumberToObject(line, "queued", stats.queued);
	cJSON_AddStringToObject(line, "region", aws_client_region(client));
	cJSON_AddNumberToObject(line, "longest_turn_ms", (double)loop.longest_ms);
	getrusage(RUSAGE_SELF, &usage);
	cJSON_AddNumberToObject(line, "max_rss_kib", (double)usage.ru_maxrss);
	say(line);
}

static void cancel(int id, int target)
{
	struct pending *pending = pendings;

	while (pending && pending->id != target)
		pending = pending->next;
	if (pending) {
		aws_cancel(client, pending->number);
		forget(pending);
	}
	say(line_for(id));
}

static void say_table(int id)
{
	static const char *const protocols[] = { "query", "ec2", "json 1.0", "json 1.1" };
	cJSON *line = line_for(id), *rows = cJSON_AddArrayToObject(line, "rows");
	int op;

	for (op = 0; op < AWS_OPS; op++) {
		const struct aws_call_info *call = &aws_calls[op];
		const struct aws_service_info *service = &aws_services[call->service];
		cJSON *row = cJSON_CreateObject();

		cJSON_AddStringToObject(row, "service", service->name);
		cJSON_AddStringToObject(row, "protocol", protocols[service->protocol]);
		cJSON_AddStringToObject(row, "version", service->version);
		cJSON_AddStringToObject(row, "prefix", service->prefix);
		cJSON_AddStringToObject(row, "action", call->action);
		cJSON_AddBoolToObject(row, "again", call->repeat == AWS_AGAIN);
		cJSON_AddStringToObject(row, "iam", call->iam);
		cJSON_AddItemToArray(rows, row);
	}
	say(line);
}

static void say_endpoint(int id, const cJSON *order)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(order, "endpoint"));
	const char *region = cJSON_GetStringValue(cJSON_GetObjectItem(order, "region"));
	cJSON *line = line_for(id);
	char url[256];
	int i;

	for (i = 0; i < AWS_SERVICES; i++) {
		if (strcmp(aws_services[i].name, name) == 0 &&
		    !aws_endpoint(i, region, cJSON_IsTrue(cJSON_GetObjectItem(order, "fips")),
				  cJSON_IsTrue(cJSON_GetObjectItem(order, "dualstack")), url,
				  sizeof(url)))
			cJSON_AddStringToObject(line, "url", url);
	}
	cJSON_AddStringToObject(line, "partition", aws_partition(region));
	say(line);
}

static uint32_t number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(object, name);

	return cJSON_IsNumber(item) ? (uint32_t)item->valuedouble : 0;
}

static void handle(const cJSON *order)
{
	int id = (int)number(order, "id");
	const char *call = cJSON_GetStringValue(cJSON_GetObjectItem(order, "call"));
	const char *imds = cJSON_GetStringValue(cJSON_GetObjectItem(order, "imds"));
	struct aws_caller caller = { .done = on_result,
				     .budget_ms = number(order, "budget_ms"),
				     .attempts = number(order, "attempts") };
	struct pending *pending;
	cJSON *line;

	if (cJSON_HasObjectItem(order, "stats"))
		return say_stats(id);
	if (cJSON_HasObjectItem(order, "cancel"))
		return cancel(id, (int)number(order, "cancel"));
	if (cJSON_HasObjectItem(order, "table"))
		return say_table(id);
	if (cJSON_HasObjectItem(order, "endpoint"))
		return say_endpoint(id, order);
	pending = remember(id);
	caller.ctx = pending;
	if (call)
		pending->number = driver_call(client, call, cJSON_GetObjectItem(order, "args"),
					      &caller);
	else
		pending->number = aws_imds_get(aws_client_imds(client), imds ? imds : "",
					       caller.budget_ms, on_document, pending);
	if (pending->number > 0)
		return;
	line = line_for(id);
	cJSON_AddNumberToObject(line, "error", (double)pending->number);
	forget(pending);
	say(line);
}

static const char *text(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

static void open_client(const cJSON *from)
{
	struct aws_options options = {
		.region = text(from, "region"),
		.endpoint_all = text(from, "endpoint"),
		.imds_endpoint = text(from, "imds_endpoint"),
		.ca_file = text(from, "ca_file"),
		.no_imds = cJSON_IsTrue(cJSON_GetObjectItem(from, "no_imds")),
		.connect_ms = number(from, "connect_ms"),
		.attempt_ms = number(from, "attempt_ms"),
		.budget_ms = number(from, "budget_ms"),
		.attempts = number(from, "attempts"),
		.backoff_ms = number(from, "backoff_ms"),
		.backoff_max_ms = number(from, "backoff_max_ms"),
		.in_flight = number(from, "in_flight"),
		.queue = number(from, "queue"),
		.answer_max = number(from, "answer_max"),
	};
	struct aws_loop hooks;
	int failure;

	options.endpoint[AWS_EC2] = text(from, "endpoint_ec2");
	epoll_loop_open(&loop);
	epoll_loop_hooks(&loop, &hooks);
	failure = aws_client_new(&client, &hooks, &options);
	if (failure)
		error(1, 0, "no client: %s", strerror(-failure));
}

/* Handles the lines that came; false at the end of input. */
static bool read_input(void)
{
	static char buffer[4 << 20];
	static size_t have;
	ssize_t got = read(STDIN_FILENO, buffer + have, sizeof(buffer) - have - 1);
	char *start = buffer, *end;

	if (got <= 0)
		return false;
	have += (size_t)got;
	while ((end = memchr(start, '\n', (size_t)(buffer + have - start)))) {
		cJSON *order = cJSON_ParseWithLength(start, (size_t)(end - start));

		if (!order)
			error(1, 0, "not JSON: %.*s", (int)(end - start), start);
		handle(order);
		cJSON_Delete(order);
		start = end + 1;
	}
	have -= (size_t)(start - buffer);
	memmove(buffer, start, have);
	return true;
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = STDIN_FILENO };
	cJSON *options = cJSON_Parse(argc > 1 ? argv[1] : "{}");

	open_client(options);
	cJSON_Delete(options);
	if (epoll_ctl(loop.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event))
		error(1, errno, "epoll_ctl");
	while (!epoll_loop_turn(&loop, client, STDIN_FILENO) || read_input())
		;
	aws_client_free(client);
	epoll_loop_close(&loop);
	while (pendings)
		forget(pendings);
	return 0;
}
