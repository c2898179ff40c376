/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * nat-route-failover: the outside path, for when no agent can act. An alarm of
 * NATReachability names a zone; its lease is taken for a node that is well, by the
 * agents' own rules of the lease, and routes, Elastic IPs and weights follow. By hand:
 *	{"zone": Z}				away from its owner
 *	{"zone": Z, "to": NODE}			to a node
 *	{"zone": Z, "action": "restore"}	home again
 *	{"zone": Z, "action": "hold"}		no more moves by alarms or agents, until
 *	{"zone": Z, "action": "release"}
 *	{"action": "status"}
 * and each with "dry_run": true.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candidates.h"
#include "event.h"
#include "functions.h"
#include "job.h"
#include "loop.h"
#include "placing.h"
#include "reach.h"
#include "routing.h"
#include "weighing.h"

enum {
	AGAIN_MS = 2000,
	LOOK_MAX_MS = 9000,
};

struct failover {
	struct job *job;
	bool dry_run;
	const char *action; /* "failover", "restore", "to", "hold", "release", "status" */
	const char *zone;
	struct question question;
	struct candidates candidates;
	struct evidence evidence[FLEET_NODES_MAX];
	struct ruling ruling;
	cJSON *routing; /* the parameter */
	uint64_t epoch; /* of our claim */
	int64_t began_ms;
};

/* The zone is the end of the alarm's name: NAT-reachability-ZONE. */
static int read_alarm(struct failover *failover, const struct alarm *alarm)
{
	const struct setup *setup = failover->job->setup;
	const cJSON *zone;

	failover->action = "failover";
	if (alarm->state != ALARM_ON) {
		failover->action = "status";
		return 0;
	}
	cJSON_ArrayForEach(zone, setup->route_tables) {
		const char *name = cJSON_GetStringValue(zone);
		size_t length = name ? strlen(name) : 0, whole = strlen(alarm->name);

		if (length && whole > length && alarm->name[whole - length - 1] == '-' &&
		    !strcmp(alarm->name + whole - length, name))
			failover->zone = name;
	}
	if (failover->zone)
		return 0;
	return err_set(&failover->job->err, STATUS_USAGE, EINVAL,
		       "alarm %.100s: its name does not end with a zone that has a route table",
		       alarm->name);
}

static int read_by_hand(struct failover *failover)
{
	static const char *const actions[] = { "failover", "restore", "hold", "release", "status" };
	struct err *err = &failover->job->err;
	const cJSON *event = failover->job->event;
	const char *action = event_optional(event, "action", err), *to;

	if (!action)
		return -EINVAL;
	for (unsigned int i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (!strcmp(*action ? action : "failover", actions[i]))
			failover->action = actions[i];
	}
	if (!failover->action)
		return err_set(err, STATUS_USAGE, EINVAL,
			       "action %.40s: failover, restore, hold, release or status is wanted",
			       action);
	failover->question.by_hand = true;
	if (!strcmp(failover->action, "status"))
		return 0;
	failover->zone = event_text(event, "zone", err);
	to = failover->zone ? event_optional(event, "to", err) : NULL;
	if (!to)
		return -EINVAL;
	if (*to && strcmp(failover->action, "failover"))
		return err_set(err, STATUS_USAGE, EINVAL, "\"to\" does not go with %s",
			       failover->action);
	failover->question.to = to;
	failover->question.wish = *to				       ? WISH_TO :
				  !strcmp(failover->action, "restore") ? WISH_RESTORE :
									 WISH_FAILOVER;
	return 0;
}

static int read_event(struct failover *failover, cJSON **message)
{
	struct job *job = failover->job;
	struct alarm alarm;
	int ret = event_bool(job->event, "dry_run", false, &failover->dry_run, &job->err);

	if (ret)
		return ret;
	ret = event_alarm(job->event, &alarm, message, &job->err);
	if (!ret)
		return read_alarm(failover, &alarm);
	return ret == -ENOENT ? read_by_hand(failover) : ret;
}

/* Is the owner's agent counting up? The lease is read again after a while. */
static int read_witness(struct failover *failover)
{
	struct question *question = &failover->question;
	struct holder later;
	int ret = holder_read(failover->job, failover->zone, &later);

	question->witness_moves = !ret && later.epoch == question->holder.epoch &&
				  later.witness != question->holder.witness;
	question->holder = later;
	return ret;
}

/* Whoever has not answered when the witness is read is not waited for. */
static void take_reach(struct failover *failover)
{
	static const enum opinion opinions[] = { [VERDICT_UNKNOWN] = OPINION_NONE,
						 [VERDICT_REACHES] = OPINION_WELL,
						 [VERDICT_CUT_OFF] = OPINION_ILL };
	double percent;

	for (unsigned int i = 0; i < failover->candidates.fleet.count; i++)
		failover->candidates.item[i].reach =
			opinions[evidence_judge(&failover->evidence[i], &percent)];
}

/*
 * An alarm is not believed: nodes try their egress once more, while it is seen
 * whether the owner's agent lives. Who looks again waits longer, for nodes may be slower.
 */
static int look_again(struct failover *failover)
{
	struct job *job = failover->job;
	int64_t began = loop_monotonic_ms();
	struct reach *reach = reach_start(job, &failover->candidates.fleet);
	int64_t wait = (int64_t)job->setup->witness_ms * (failover->question.looks + 1);

	if (!reach)
		return -EIO;
	if (wait > LOOK_MAX_MS)
		wait = LOOK_MAX_MS;
	reach_wait(reach, wait, failover->evidence);
	take_reach(failover);
	reach_end(reach);
	wait -= loop_monotonic_ms() - began;
	if (!failover->question.holder.there || !job_pause(job, wait > 0 ? wait : 0))
		return 0;
	return read_witness(failover);
}

static int read_lease(struct failover *failover)
{
	struct question *question = &failover->question;
	int ret = candidates_count_zones(failover->job, &failover->candidates);

	if (!ret)
		ret = holder_read(failover->job, failover->zone, &question->holder);
	if (!ret && !question->by_hand)
		ret = look_again(failover);
	question->now = loop_wall_ms() / 1000;
	question->held = question->holder.held;
	return ret;
}

static bool is_ours(void *ctx)
{
	struct failover *failover = ctx;
	struct holder holder;

	if (failover->dry_run)
		return true;
	return !holder_read(failover->job, failover->zone, &holder) &&
	       holder.epoch == failover->epoch &&
	       !strcmp(holder.owner, failover->ruling.target->name);
}

static void publish(struct failover *failover)
{
	const struct gauge_dimension zone[] = { { "AvailabilityZone", failover->zone },
						{ NULL, NULL } };
	struct gauge gauges[] = {
		{ "RouteFailoverCount", "Count", 1 },
		{ "FailoverCount", "Count", 1 },
		{ "FailoverDurationMs", "Milliseconds",
		  (double)(loop_monotonic_ms() - failover->began_ms) },
	};

	/* what a person moves is no take-over from a node that failed */
	say_gauges(failover->job->setup->nat, zone, failover->question.by_hand ? 1 : 3, gauges,
		   false);
}

static int claim(struct failover *failover)
{
	struct question *question = &failover->question;
	const char *name = failover->ruling.target->name;
	const char *reason = !question->by_hand		    ? "failover" :
			     question->wish == WISH_RESTORE ? "failback" :
							      "manual";
	cJSON *fields = cJSON_CreateObject();
	int ret;

	cJSON_AddStringToObject(fields, "action", "claim");
	cJSON_AddStringToObject(fields, "zone", failover->zone);
	cJSON_AddStringToObject(fields, "before", question->holder.owner);
	cJSON_AddStringToObject(fields, "after", name);
	cJSON_AddNumberToObject(fields, "epoch", (double)question->holder.epoch + 1);
	cJSON_AddBoolToObject(fields, "dryRun", failover->dry_run);
	say(LEVEL_WARN, fields, "zone %s: %s takes it", failover->zone, name);
	if (failover->dry_run)
		return 0;
	ret = holder_claim(failover->job, failover->zone, name, reason, !question->by_hand,
			   &question->holder);
	if (ret == -EEXIST && question->holder.held)
		return job_fail(failover->job, STATUS_STATE, EBUSY,
				"zone %s is held where it is: 'release' lets it go",
				failover->zone);
	if (ret == -EEXIST)
		return job_fail(failover->job, STATUS_STATE, EEXIST,
				"zone %s was taken by %s meanwhile: nothing is moved",
				failover->zone, question->holder.owner);
	return ret;
}

static int act(struct failover *failover)
{
	struct job *job = failover->job;
	struct placing placing = { .zone = failover->zone,
				   .node = failover->ruling.target->name,
				   .dry_run = failover->dry_run,
				   .routes = true,
				   .fence = is_ours,
				   .ctx = failover };
	bool claims = failover->ruling.decision == DECIDE_CLAIM;
	int ret = claims ? claim(failover) : 0;

	if (!ret) {
		failover->epoch = failover->question.holder.epoch;
		if (!failover->question.holder.there)
			placing.fence = NULL; /* there is no lease, and none was claimed */
		ret = placing_run(job, &placing);
	}
	if (placing.steps)
		cJSON_AddItemToObject(job->answer, "steps", placing.steps);
	cJSON_AddNumberToObject(job->answer, "moved", placing.moved);
	if (ret || failover->dry_run)
		return ret;
	routing_note(failover->routing, failover->zone, failover->ruling.target->name,
		     failover->epoch, failover->ruling.why);
	ret = routing_store(job, failover->routing);
	if (!ret)
		ret = weighing_run(job, &failover->candidates.fleet);
	if (!ret && (claims || placing.moved))
		publish(failover);
	return ret;
}

static void say_ruling(struct failover *failover)
{
	static const char *const names[] = { "nothing", "complete", "claim" };
	static const char *const says[] = { "decision", "target", "why" };
	const struct ruling *ruling = &failover->ruling;
	cJSON *fields = cJSON_CreateObject();

	cJSON_AddStringToObject(fields, "decision", names[ruling->decision]);
	cJSON_AddStringToObject(fields, "zone", failover->zone);
	cJSON_AddStringToObject(fields, "owner", failover->question.holder.owner);
	cJSON_AddStringToObject(fields, "target", ruling->target ? ruling->target->name : "");
	cJSON_AddStringToObject(fields, "why", ruling->why);
	for (unsigned int i = 0; i < sizeof(says) / sizeof(*says); i++)
		cJSON_DeleteItemFromObject(failover->job->answer, says[i]);
	cJSON_AddStringToObject(failover->job->answer, "decision", names[ruling->decision]);
	cJSON_AddStringToObject(failover->job->answer, "target",
				ruling->target ? ruling->target->name : "");
	cJSON_AddStringToObject(failover->job->answer, "why", ruling->why);
	say(ruling->decision == DECIDE_NOTHING ? LEVEL_INFO : LEVEL_WARN, fields, "zone %s: %s",
	    failover->zone, ruling->why);
}

static int decide(struct failover *failover)
{
	struct question *question = &failover->question;
	int ret;

	memset(failover->evidence, 0, sizeof(failover->evidence));
	ret = candidates_read(failover->job, &failover->candidates);
	question->zone = failover->zone;
	question->home = candidates_place(failover->job, failover->zone);
	question->places = cJSON_GetArraySize(failover->job->setup->interfaces);
	question->count = failover->candidates.fleet.count;
	question->candidates = failover->candidates.item;
	if (!ret)
		ret = read_lease(failover);
	if (ret)
		return ret;
	question->looks++;
	takeover_decide(question, &failover->ruling);
	say_ruling(failover);
	return 0;
}

/* An alarm that stays on comes no second time: who is not sure looks again, and then fails. */
static int fail_over(struct failover *failover)
{
	struct job *job = failover->job;
	int ret;

	do {
		ret = decide(failover);
	} while (!ret && failover->ruling.again && job_left_ms(job) > 2 * AGAIN_MS &&
		 job_pause(job, AGAIN_MS));
	if (ret)
		return ret;
	if (failover->ruling.again)
		return job_fail(job, STATUS_STATE, EAGAIN, "zone %s: %s", failover->zone,
				failover->ruling.why);
	return failover->ruling.decision == DECIDE_NOTHING ? 0 : act(failover);
}

static int tell(struct failover *failover)
{
	struct job *job = failover->job;
	struct holders holders;
	int ret;

	holders_list(job, &holders);
	ret = holders_read(job, &holders);
	cJSON_AddItemToObject(job->answer, "leases", holders_tell(&holders));
	cJSON_AddItemToObject(job->answer, "routing", cJSON_Duplicate(failover->routing, true));
	return ret;
}

static int hold(struct failover *failover)
{
	int ret = failover->dry_run ?
			  0 :
			  holder_hold(failover->job, failover->zone, *failover->action == 'h');

	return ret ? ret : tell(failover);
}

static int run(struct failover *failover)
{
	int ret = routing_read(failover->job, &failover->routing);

	if (ret)
		return ret;
	if (!strcmp(failover->action, "status"))
		return tell(failover);
	if (!strcmp(failover->action, "hold") || !strcmp(failover->action, "release"))
		return hold(failover);
	return fail_over(failover);
}

int fn_route_failover(struct job *job)
{
	struct failover *failover = calloc(1, sizeof(*failover));
	cJSON *message = NULL;
	int ret;

	if (!failover)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	failover->job = job;
	failover->began_ms = loop_monotonic_ms();
	ret = read_event(failover, &message);
	if (!ret)
		ret = run(failover);
	cJSON_Delete(failover->routing);
	cJSON_Delete(message);
	free(failover);
	return ret;
}
