/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "depart.h"

#include "agent.h"
#include "aws/autoscaling.h"
#include "aws/elb.h"
#include "awsclient.h"
#include "ha_state.h"
#include "log.h"
#include "watch_imds.h"

enum {
	LEAVE_MS = 45000, /* then an agent that was told to end does so, drained or not */
	AGAIN_MS = 5000,  /* what AWS did not answer is asked again */
};

static const struct ha_node *self(const struct ha *ha)
{
	return &ha->members.conf->nodes.item[ha->members.self];
}

/* "": not known, or not yet. */
static const char *own_instance(const struct ha *ha)
{
	if (*self(ha)->instance)
		return self(ha)->instance;
	return ha->agent->watch ? watch_text(ha->agent->watch, NOTICE_INSTANCE) : "";
}

/* The zone is another's, and that one has all of it. */
static bool is_gone(const struct policy_zone *z)
{
	return (z->state == POLICY_STANDBY || z->state == POLICY_SUSPECT) && z->rest_due < 0;
}

static void called(void *ctx, const struct aws_result *result)
{
	struct ha *ha = ctx;

	log_note("failover node=%s step=%s result=%s ms=%lld%s%s", self(ha)->id,
		 aws_calls[result->op].action,
		 result->fault == AWS_OK ? "ok" : aws_fault_name(result->fault),
		 (long long)result->duration_ms, *result->message ? ": " : "", result->message);
}

/* Would it be refused again? Then that was said once, and a person has to act. */
static bool is_settled(const struct aws_result *result)
{
	return result->fault == AWS_OK || result->fault == AWS_REFUSED;
}

static void duty_done(void *ctx, const struct aws_result *result)
{
	struct ha *ha = ctx;

	called(ha, result);
	if (is_settled(result))
		return;
	ha->off_duty = !ha->off_duty;
	ha->duty_due = loop_monotonic_ms() + AGAIN_MS;
}

/* A load balancer sends nothing new to a node that is to go. */
static void set_duty(struct ha *ha, bool off)
{
	struct aws_target_id target = { .id = own_instance(ha) };
	struct aws_caller caller = { .done = duty_done, .ctx = ha };
	const char *group = ha->members.conf->target_group;

	if (off == ha->off_duty || !*group || !*target.id || loop_monotonic_ms() < ha->duty_due)
		return;
	ha->off_duty = off;
	if ((off ? aws_elb_deregister : aws_elb_register)(awsclient_get(ha->client), group, 1,
							  &target, &caller) < 0)
		ha->off_duty = !off; /* too many calls wait: at the next tick */
}

static void completed(void *ctx, const struct aws_result *result)
{
	struct ha *ha = ctx;

	called(ha, result);
	ha->completing = false;
	ha->completed = is_settled(result);
	ha->complete_due = loop_monotonic_ms() + AGAIN_MS;
}

/*
 * Auto Scaling waits for us before it ends the instance. It may begin to do so when we
 * have handed over long ago, because of a spot notice or an operator.
 */
static void complete_lifecycle(struct ha *ha)
{
	struct aws_lifecycle_action action = {
		.hook = ha->members.conf->lifecycle_hook,
		.group = ha->members.conf->group,
		.instance = own_instance(ha),
	};
	struct aws_caller caller = { .done = completed, .ctx = ha };
	bool waits = ha->agent->watch && watch_is_leaving(ha->agent->watch, NOTICE_LIFECYCLE);

	if (!waits)
		ha->completed = false;
	if (!waits || ha->completed || ha->completing || !*action.hook || !*action.instance ||
	    loop_monotonic_ms() < ha->complete_due)
		return;
	ha->completing = aws_autoscaling_complete(awsclient_get(ha->client), &action, true,
						  &caller) > 0;
}

void depart_look(struct ha *ha)
{
	bool gone = ha->policy.draining;

	set_duty(ha, ha->policy.draining);
	for (unsigned int i = 0; i < ha->members.zones; i++)
		gone &= is_gone(&ha->policy.zone[i]);
	if (gone && !ha->drained)
		log_note("failover node=%s step=drain result=ok: nothing is owned here any more",
			 self(ha)->id);
	ha->drained = gone;
	if (!gone)
		return;
	complete_lifecycle(ha);
	if (ha->ending && !ha->completing)
		loop_stop(ha->agent->loop);
}

static void leave(void *ctx)
{
	struct ha *ha = ctx;

	log_error("failover node=%s step=drain result=late: ending with zones that nobody has taken",
		  self(ha)->id);
	loop_stop(ha->agent->loop);
}

bool ha_is_asked(const struct ha *ha)
{
	return ha->drain_asked;
}

void ha_drain(struct ha *ha, bool on)
{
	struct policy_event event = { .kind = POLICY_DRAINING, .on = on };

	if (on != ha->drain_asked)
		log_note("failover node=%s step=drain: %s", self(ha)->id,
			 on ? "handing over" : "taken back");
	ha->drain_asked = on;
	ha->agent->health.draining |= on;
	if (!on && ha->agent->watch)
		ha->agent->health.draining = watch_is_leaving(ha->agent->watch, NOTICES);
	else if (!on)
		ha->agent->health.draining = false;
	event.on = ha->agent->health.draining;
	ha_post(ha, &event);
}

void ha_leave(struct ha *ha)
{
	ha->ending = true;
	ha->leaving = loop_timer(ha->agent->loop, leave, ha);
	if (ha->leaving < 0)
		loop_stop(ha->agent->loop);
	else
		loop_timer_once(ha->leaving, LEAVE_MS);
	ha_drain(ha, true);
	depart_look(ha);
}
