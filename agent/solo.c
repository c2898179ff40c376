/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "solo.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "awsclient.h"
#include "control.h"
#include "counters.h"
#include "duty.h"
#include "err.h"
#include "json.h"
#include "log.h"
#include "watch_imds.h"

enum { LOOK_MS = 200, ATTEMPT_MS = 5000, CONNECT_MS = 1000, CALLS_AT_ONCE = 2 };

struct solo {
	struct agent *agent;
	struct awsclient *client; /* NULL: nobody is to be told */
	struct duty duty;
	struct control *control; /* NULL: nobody can ask */
	int timer;
	int64_t began;
	int64_t flows; /* as last seen; -1: not known */
	struct solo_progress progress;
};

void solo_advance(struct solo_progress *p, const struct solo_rule *rule, bool draining,
		  int64_t flows, int64_t now)
{
	if (!draining) {
		memset(p, 0, sizeof(*p));
		return;
	}
	if (!p->since)
		p->since = now;
	if (flows)
		p->quiet_since = 0;
	else if (!p->quiet_since)
		p->quiet_since = now;
	if (p->drained)
		return;
	p->drained = p->quiet_since && now - p->quiet_since >= rule->quiet;
	p->late = !p->drained && now - p->since >= rule->bound;
	p->drained |= p->late;
}

/* Read now: those of the samples may be ten seconds old. */
static int64_t count_flows(const struct agent *agent)
{
	struct natxdp_counters counters;

	return counters_read(&agent->source.nat, &counters) ? -1 :
							      (int64_t)counters_flows(&counters);
}

/*
 * Nor is an instance registered that waits in a warm pool; the metadata service is
 * given the time to say so.
 */
static bool may_serve(const struct solo *solo)
{
	const struct agent *agent = solo->agent;
	const char *state = agent->watch ? watch_text(agent->watch, NOTICE_LIFECYCLE) : "";

	return !health_unready(&agent->health) && (!*state || !strcmp(state, "InService")) &&
	       loop_monotonic_ms() - solo->began >= 2 * (int64_t)agent->conf.imds_interval;
}

static void note_change(const struct solo *solo, const struct solo_progress *before)
{
	const struct solo_progress *now = &solo->progress;

	if (!before->since && now->since)
		log_note("drain: nothing new comes here, %lld flows are left",
			 (long long)solo->flows);
	else if (before->since && !now->since)
		log_note("drain: taken back");
	if (!before->drained && now->drained && !now->late)
		log_note("drain: done, no flow is left");
	else if (!before->drained && now->drained)
		log_note("drain: done, %lld flows are given up after drain_time",
			 (long long)solo->flows);
}

static void look(void *ctx)
{
	struct solo *solo = ctx;
	const struct conf *conf = &solo->agent->conf;
	struct solo_rule rule = { .quiet = conf->drain_quiet, .bound = conf->drain_time };
	struct solo_progress before = solo->progress;
	bool draining = solo->agent->health.draining;

	solo->flows = draining ? count_flows(solo->agent) : -1;
	solo_advance(&solo->progress, &rule, draining, solo->flows, loop_monotonic_ms());
	note_change(solo, &before);
	if (!solo->client)
		return;
	if (draining || may_serve(solo))
		duty_set_off(&solo->duty, draining);
	if (solo->progress.drained)
		duty_complete(&solo->duty);
}

void solo_status(const struct solo *solo, cJSON *object)
{
	const struct solo_progress *p = &solo->progress;
	bool draining = solo->agent->health.draining;
	int64_t flows = draining ? count_flows(solo->agent) : -1;

	cJSON_AddBoolToObject(object, "draining", draining);
	cJSON_AddBoolToObject(object, "drained", draining && p->drained);
	if (flows >= 0)
		json_add_count(object, "flows", flows);
	else
		cJSON_AddNullToObject(object, "flows");
	if (draining && p->since)
		cJSON_AddNumberToObject(object, "since_ms", loop_monotonic_ms() - p->since);
	else
		cJSON_AddNullToObject(object, "since_ms");
}

/* `natxdpd drain` is remembered over a restart of the agent: nobody would expect that to end it. */
static cJSON *command(void *ctx, const cJSON *request)
{
	const char *name = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(request, "command"));
	bool drain = name && !strcmp(name, "drain"), undrain = name && !strcmp(name, "undrain");
	cJSON *reply = cJSON_CreateObject();
	struct solo *solo = ctx;

	if (!drain && !undrain && (!name || strcmp(name, "status"))) {
		cJSON_AddStringToObject(reply, "error",
					"this node has no peers: ha_node is not set in natxdpd.conf");
		return reply;
	}
	if (drain || undrain) {
		solo->agent->source.keep->drain = drain;
		agent_ask_drain(solo->agent, drain);
		look(solo);
	}
	cJSON_AddBoolToObject(reply, "ok", true);
	solo_status(solo, cJSON_AddObjectToObject(reply, "status"));
	return reply;
}

static int start_calls(struct solo *solo, struct err *err)
{
	const struct aws_options options = {
		.connect_ms = CONNECT_MS,
		.attempt_ms = ATTEMPT_MS,
		.in_flight = CALLS_AT_ONCE,
	};
	const struct conf *conf = &solo->agent->conf;

	if (!*conf->ha.target_group && !*conf->ha.lifecycle_hook)
		return 0;
	solo->client = awsclient_new(solo->agent->loop, conf, &options, err);
	if (!solo->client)
		return -EIO;
	solo->duty = (struct duty){
		.agent = solo->agent,
		.client = awsclient_get(solo->client),
		.instance = "",
		.who = "drain",
		.off = true, /* it is registered when it may serve, as it may have gone before */
	};
	return 0;
}

struct solo *solo_start(struct agent *agent, struct err *err)
{
	struct solo *solo = calloc(1, sizeof(*solo));
	struct err why = { 0 };

	if (!solo) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	solo->agent = agent;
	solo->began = loop_monotonic_ms();
	solo->flows = -1;
	solo->timer = loop_timer(agent->loop, look, solo);
	agent_ask_drain(agent, agent->source.keep->drain);
	if (solo->timer < 0) {
		err_set(err, STATUS_SYSTEM, EMFILE, "no timers: too many open files");
		goto fail;
	}
	if (start_calls(solo, err))
		goto fail;
	/* all the rest works where there is no place for a socket */
	solo->control = control_open(agent->loop, agent->conf.pin_dir, command, solo, &why);
	if (!solo->control)
		log_note("%s: 'natxdpd drain' will not reach this agent", why.text);
	loop_timer_every(solo->timer, LOOK_MS);
	return solo;
fail:
	solo_stop(solo);
	return NULL;
}

void solo_stop(struct solo *solo)
{
	if (!solo)
		return;
	control_close(solo->control);
	awsclient_free(solo->client);
	loop_timer_free(solo->agent->loop, solo->timer);
	free(solo);
}
