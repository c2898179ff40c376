/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "results.h"

static void on_deadline(void *owner);

static void take_out(struct call *call)
{
	struct aws_client *client = call->client;

	if (call->previous)
		call->previous->next = call->next;
	else
		client->first = call->next;
	if (call->next)
		call->next->previous = call->previous;
	else
		client->last = call->previous;
	client->count[call->info->service]--;
	client->bytes[call->info->service] -= call->body.length;
	if (call->state == CALL_IN_FLIGHT)
		client->in_flight[call->info->service]--;
	aws_timer_stop(&client->timers, &call->timer);
}

static void free_call(struct call *call)
{
	aws_body_free(&call->body);
	free(call);
}

static void finish(struct call *call)
{
	struct aws_client *client = call->client;
	struct aws_result *result = &call->result;
	enum aws_service service = call->info->service;

	take_out(call);
	result->duration_ms = aws_now_ms(&client->timers) - call->started_ms;
	client->stats.ended[service][result->fault]++;
	call->caller.done(call->caller.ctx, result);
	free_call(call);
	aws_calls_pump(client, service);
}

static void end_in_time(void *owner)
{
	finish(owner);
}

static void set_fault(struct call *call, enum aws_fault fault, const char *message)
{
	call->result.fault = fault;
	snprintf(call->result.message, sizeof(call->result.message), "%s", message);
}

/* From where no callback may be called. */
static void fail_later(struct call *call, enum aws_fault fault, const char *message)
{
	set_fault(call, fault, message);
	call->state = CALL_ENDING;
	aws_timer_start(&call->client->timers, &call->timer, 0, end_in_time, call);
}

static void enqueue(struct call *call)
{
	struct aws_timers *timers = &call->client->timers;

	call->state = CALL_QUEUED;
	aws_timer_start(timers, &call->timer, call->last_start_ms - aws_now_ms(timers), on_deadline,
			call);
}

static void on_deadline(void *owner)
{
	struct call *call = owner;

	/* what went wrong before says more */
	if (!call->result.attempts)
		set_fault(call, AWS_TIMED_OUT, "not sent in time");
	finish(call);
}

static void on_pause_end(void *owner)
{
	struct call *call = owner;

	enqueue(call);
	aws_calls_pump(call->client, call->info->service);
}

static void parse_output(struct call *call, const struct aws_http_answer *answer)
{
	struct aws_arena arena = { 0 };
	struct aws_result *result = &call->result;
	cJSON *tree;
	int err;

	result->arena = &arena;
	err = aws_parse_result(result->op, answer->body, answer->length, &tree, result);
	if (err) {
		result->maybe_done = true; /* it said 200 */
		set_fault(call, AWS_BAD_ANSWER,
			  err == -ENOMEM ? "out of memory" : "the answer is not what was expected");
	}
	finish(call);
	cJSON_Delete(tree);
	aws_arena_free(&arena);
}

/* Reads the error document, if it is one. */
static void read_error(struct call *call, const struct aws_http_answer *answer)
{
	struct aws_result *result = &call->result;
	enum aws_protocol protocol = aws_services[call->info->service].protocol;
	cJSON *tree = aws_parse_answer(protocol, answer->body, answer->length);

	aws_parse_error(protocol, tree, result->code, sizeof(result->code), result->message,
			sizeof(result->message));
	cJSON_Delete(tree);
	if (!result->code[0])
		snprintf(result->code, sizeof(result->code), "%.*s",
			 (int)strcspn(answer->error_type, ":"), answer->error_type);
	if (!result->message[0])
		snprintf(result->message, sizeof(result->message), "%s",
			 result->code[0] ? result->code : "an answer without a reason");
}

/* Starts the pause before a retry, if there may be one and it fits the budget. */
static bool pause_for_retry(struct call *call, const struct aws_verdict *verdict,
			    int64_t retry_after_ms)
{
	struct aws_client *client = call->client;
	enum aws_service service = call->info->service;
	int64_t delay = 0;

	if (!verdict->again || call->result.attempts >= call->attempts_max)
		return false;
	if (verdict->new_credentials && !aws_provider_expired(client->provider, call->key))
		return false;
	if (!verdict->at_once)
		delay = aws_random_upto(&client->timers,
					aws_backoff_ms(call->result.attempts - 1, verdict->fault,
						       client->settings.backoff_ms,
						       client->settings.backoff_max_ms));
	if (delay < retry_after_ms)
		delay = retry_after_ms;
	if (aws_now_ms(&client->timers) + delay > call->last_start_ms)
		return false;
	if (!verdict->at_once) {
		call->paid = aws_quota_take(&client->quota[service], verdict->fault);
		if (!call->paid) {
			client->stats.retries_denied++;
			return false;
		}
	}
	client->stats.retries++;
	call->state = CALL_PAUSED;
	aws_timer_start(&client->timers, &call->timer, delay, on_pause_end, call);
	return true;
}

static void correct_clock(struct aws_client *client, int64_t skew_ms)
{
	client->stats.clock_skew_ms = skew_ms;
	aws_clock_correct(skew_ms);
}

static void note_answer(struct aws_result *result, const struct aws_http_answer *answer)
{
	result->status = answer->status;
	result->code[0] = 0;
	result->message[0] = 0;
	if (answer->request_id[0])
		snprintf(result->request_id, sizeof(result->request_id), "%s", answer->request_id);
}

static void on_answer(void *ctx, const struct aws_http_answer *answer)
{
	struct call *call = ctx;
	struct aws_client *client = call->client;
	enum aws_service service = call->info->service;
	struct aws_result *result = &call->result;
	struct aws_attempt attempt = {
		.error = answer->error,
		.sent = answer->sent,
		.status = answer->status,
		.code = result->code,
		.skew_used_ms = call->skew_used_ms,
	};
	struct aws_verdict verdict;

	call->exchange = NULL;
	call->state = CALL_PAUSED;
	client->in_flight[service]--;
	note_answer(result, answer);
	if (answer->date_ms)
		attempt.skew_ms = answer->date_ms - aws_wall_ms(&client->timers);
	if (answer->error)
		set_fault(call, AWS_UNREACHABLE, answer->message);
	else if (answer->status < 200 || answer->status >= 300)
		read_error(call, answer);
	verdict = aws_judge(&attempt, call->info->repeat);
	result->fault = verdict.fault;
	result->maybe_done |= verdict.maybe_done;
	client->stats.throttles += verdict.fault == AWS_THROTTLED;
	if (verdict.fault == AWS_OK) {
		result->maybe_done = false;
		aws_quota_refund(&client->quota[service], call->paid);
		parse_output(call, answer);
		return;
	}
	if (verdict.new_skew)
		correct_clock(client, attempt.skew_ms);
	if (!pause_for_retry(call, &verdict, answer->retry_after_ms))
		finish(call);
	else
		aws_calls_pump(client, service); /* the slot is free for another call */
}

static void write_url(const struct aws_client *client, enum aws_service service, char *url,
		      size_t size)
{
	const struct aws_settings *settings = &client->settings;

	if (settings->endpoint[service][0])
		snprintf(url, size, "%s", settings->endpoint[service]);
	else
		aws_endpoint(service, client->region, settings->fips, settings->dualstack, url,
			     size); /* regions and prefixes are shorter than an URL may be */
}

static struct aws_exchange *
start_exchange(struct call *call, const struct aws_credentials *credentials, uint32_t timeout_ms)
{
	struct aws_client *client = call->client;
	const struct aws_service_info *service = &aws_services[call->info->service];
	const struct aws_signing signing = { credentials->key, credentials->secret, client->region,
					     service->prefix };
	char url[AWS_HTTP_URL_MAX], token[AWS_TOKEN_MAX + 32], target[128];
	struct aws_http_request request = {
		.method = "POST",
		.url = url,
		.body = call->body.data,
		.body_length = call->body.length,
		.signing = &signing,
		.connect_ms = client->settings.connect_ms,
		.timeout_ms = timeout_ms,
		.answer_max = client->settings.answer_max,
		.fresh = call->info->repeat == AWS_ONCE,
	};
	unsigned int count = 0;

	write_url(client, call->info->service, url, sizeof(url));
	if (service->protocol == AWS_JSON10 || service->protocol == AWS_JSON11) {
		request.headers[count++] = service->protocol == AWS_JSON10 ?
						   "Content-Type: application/x-amz-json-1.0" :
						   "Content-Type: application/x-amz-json-1.1";
		snprintf(target, sizeof(target), "X-Amz-Target: %s.%s", service->version,
			 call->info->action);
		request.headers[count++] = target;
	} else {
		request.headers[count++] =
			"Content-Type: application/x-www-form-urlencoded; charset=utf-8";
	}
	if (call->body.gzip)
		request.headers[count++] = "Content-Encoding: gzip";
	if (credentials->token[0]) {
		snprintf(token, sizeof(token), "X-Amz-Security-Token: %s", credentials->token);
		request.headers[count] = token;
	}
	return aws_http_start(client->http, &request, on_answer, call);
}

static void send_call(struct call *call, const struct aws_credentials *credentials)
{
	struct aws_client *client = call->client;
	int64_t left = call->deadline_ms - aws_now_ms(&client->timers);

	aws_timer_stop(&client->timers, &call->timer);
	if (left > client->settings.attempt_ms)
		left = client->settings.attempt_ms;
	call->skew_used_ms = client->stats.clock_skew_ms;
	snprintf(call->key, sizeof(call->key), "%s", credentials->key);
	call->result.attempts++;
	client->stats.attempts++;
	call->exchange = start_exchange(call, credentials, (uint32_t)left);
	if (!call->exchange)
		return fail_later(call, AWS_UNREACHABLE, "out of memory");
	call->state = CALL_IN_FLIGHT;
	client->in_flight[call->info->service]++;
}

static struct call *next_queued(const struct aws_client *client, enum aws_service service)
{
	struct call *call = client->first;

	while (call && (call->state != CALL_QUEUED || call->info->service != service ||
			aws_now_ms(&client->timers) > call->last_start_ms))
		call = call->next;
	return call;
}

void aws_calls_pump(struct aws_client *client, enum aws_service service)
{
	const struct aws_credentials *credentials;
	struct call *call;

	while (client->in_flight[service] < client->settings.in_flight &&
	       (call = next_queued(client, service))) {
		if (!aws_region_known(client))
			return;
		credentials = aws_provider_get(client->provider);
		if (!credentials)
			return;
		send_call(call, credentials);
	}
}

void aws_calls_fail(struct aws_client *client, const char *problem)
{
	struct call *call;

	for (call = client->first; call; call = call->next) {
		if (call->state == CALL_QUEUED)
			fail_later(call, AWS_NO_CREDENTIALS, problem);
	}
}

void aws_call_add(struct aws_client *client, struct call *call)
{
	enum aws_service service = call->info->service;

	call->previous = client->last;
	if (client->last)
		client->last->next = call;
	else
		client->first = call;
	client->last = call;
	client->count[service]++;
	client->bytes[service] += call->body.length;
	enqueue(call);
	aws_calls_pump(client, service);
}

void aws_call_drop(struct call *call)
{
	if (call->exchange)
		aws_http_cancel(call->exchange);
	take_out(call);
	free_call(call);
}
