/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"

static const char *const fault_names[AWS_FAULTS] = {
	[AWS_OK] = "ok",
	[AWS_REFUSED] = "refused",
	[AWS_THROTTLED] = "throttled",
	[AWS_UNAVAILABLE] = "unavailable",
	[AWS_UNREACHABLE] = "unreachable",
	[AWS_TIMED_OUT] = "timed-out",
	[AWS_BAD_ANSWER] = "bad-answer",
	[AWS_NO_CREDENTIALS] = "no-credentials",
};

const char *aws_fault_name(enum aws_fault fault)
{
	return fault_names[fault];
}

static void pump_all(struct aws_client *client)
{
	int i;

	for (i = 0; i < AWS_SERVICES; i++)
		aws_calls_pump(client, i);
}

static void on_credentials(void *ctx, const char *problem, bool usable)
{
	struct aws_client *client = ctx;

	if (problem)
		client->stats.credentials_failed++;
	else
		client->stats.credentials_loaded++;
	if (usable)
		pump_all(client);
	else
		aws_calls_fail(client, problem);
}

static void on_region(void *ctx, const struct aws_document *document)
{
	struct aws_client *client = ctx;
	const char *problem = "no region in the options, in AWS_REGION or in the IMDS";

	client->region_read = 0;
	if (document->fault != AWS_OK)
		problem = document->message;
	else if (document->status == 200 && aws_region_valid(document->text))
		snprintf(client->region, sizeof(client->region), "%s", document->text);
	if (client->region[0])
		pump_all(client);
	else
		aws_calls_fail(client, problem);
}

bool aws_region_known(struct aws_client *client)
{
	int64_t read;

	if (client->region[0])
		return true;
	if (client->region_read)
		return false;
	read = aws_imds_get(client->imds, "/latest/meta-data/placement/region", 0, on_region,
			    client);
	if (read > 0)
		client->region_read = read;
	else
		aws_calls_fail(client, "no region in the options or in AWS_REGION, and no IMDS");
	return false;
}

static bool has_room(struct aws_client *client, enum aws_service service, size_t length)
{
	const struct aws_settings *settings = &client->settings;

	if (!client->count[service] ||
	    (client->count[service] < settings->in_flight + settings->queue &&
	     client->bytes[service] + length <= settings->queue_bytes))
		return true;
	client->stats.queue_full++;
	return false;
}

int64_t aws_call(struct aws_client *client, enum aws_op op, struct aws_body *body,
		 const struct aws_caller *caller)
{
	const struct aws_call_info *info = &aws_calls[op];
	const struct aws_settings *settings = &client->settings;
	struct call *call = NULL;
	int64_t err = body->error;

	if (!err && !has_room(client, info->service, body->length))
		err = -EAGAIN;
	if (!err) {
		call = calloc(1, sizeof(*call));
		err = call ? 0 : -ENOMEM;
	}
	if (err) {
		aws_body_free(body);
		return err;
	}
	call->client = client;
	call->number = ++client->last_number;
	call->info = info;
	call->body = *body;
	*body = (struct aws_body){ 0 };
	call->caller = *caller;
	call->attempts_max = caller->attempts ? caller->attempts : settings->attempts;
	call->started_ms = aws_now_ms(&client->timers);
	call->deadline_ms = call->started_ms +
			    (caller->budget_ms ? caller->budget_ms : settings->budget_ms);
	call->last_start_ms = call->deadline_ms -
			      aws_time_for_try(call->deadline_ms - call->started_ms,
					       settings->attempt_ms);
	call->result.op = op;
	client->stats.calls[info->service]++;
	aws_call_add(client, call);
	return client->last_number;
}

void aws_cancel(struct aws_client *client, int64_t number)
{
	struct call *call = client->first;
	enum aws_service service;

	while (call && call->number != number)
		call = call->next;
	if (!call)
		return;
	service = call->info->service;
	aws_call_drop(call);
	aws_calls_pump(client, service);
}

int aws_client_new(struct aws_client **result, const struct aws_loop *loop,
		   const struct aws_options *options)
{
	struct aws_client *client = calloc(1, sizeof(*client));
	int i, err = -ENOMEM;

	if (!client)
		return -ENOMEM;
	aws_timers_init(&client->timers, loop);
	err = aws_settings_fill(&client->settings, options);
	if (err)
		goto fail;
	err = -ENOMEM;
	snprintf(client->region, sizeof(client->region), "%s", client->settings.region);
	for (i = 0; i < AWS_SERVICES; i++)
		client->quota[i].tokens = AWS_QUOTA_FULL;
	client->http = aws_http_new(&client->timers,
				    client->settings.ca_file[0] ? client->settings.ca_file : NULL);
	if (!client->http)
		goto fail;
	client->imds = aws_imds_new(&client->timers, client->http, client->settings.imds_endpoint,
				    client->settings.no_imds);
	if (!client->imds)
		goto fail;
	client->provider = aws_provider_new(&client->timers, client->http, client->imds,
					    on_credentials, client);
	if (!client->provider)
		goto fail;
	*result = client;
	return 0;

fail:
	aws_client_free(client);
	return err;
}

void aws_client_free(struct aws_client *client)
{
	if (!client)
		return;
	while (client->first)
		aws_call_drop(client->first);
	if (client->region_read)
		aws_imds_cancel(client->imds, client->region_read);
	aws_provider_free(client->provider);
	aws_imds_free(client->imds);
	aws_http_free(client->http);
	free(client);
}

void aws_client_ready(struct aws_client *client, int fd, uint32_t events)
{
	aws_http_ready(client->http, fd, events);
}

void aws_client_wake(struct aws_client *client)
{
	aws_timers_run(&client->timers);
}

struct aws_imds *aws_client_imds(struct aws_client *client)
{
	return client->imds;
}

const char *aws_client_region(const struct aws_client *client)
{
	return client->region;
}

void aws_client_stats(const struct aws_client *client, struct aws_stats *stats)
{
	const struct call *call;

	*stats = client->stats;
	for (call = client->first; call; call = call->next) {
		if (call->state == CALL_IN_FLIGHT)
			stats->in_flight++;
		else
			stats->queued++;
	}
}
