/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "duty.h"

#include "agent.h"
#include "aws/autoscaling.h"
#include "aws/elb.h"
#include "log.h"
#include "watch_imds.h"

enum { AGAIN_MS = 5000 /* what AWS did not answer is asked again */ };

/* "": not known, or not yet. */
static const char *own_instance(const struct duty *duty)
{
	if (*duty->instance)
		return duty->instance;
	return duty->agent->watch ? watch_text(duty->agent->watch, NOTICE_INSTANCE) : "";
}

static void called(const struct duty *duty, const struct aws_result *result)
{
	log_note("%s step=%s result=%s ms=%lld%s%s", duty->who, aws_calls[result->op].action,
		 result->fault == AWS_OK ? "ok" : aws_fault_name(result->fault),
		 (long long)result->duration_ms, *result->message ? ": " : "", result->message);
}

/* Would it be refused again? Then that was said once, and a person has to act. */
static bool is_settled(const struct aws_result *result)
{
	return result->fault == AWS_OK || result->fault == AWS_REFUSED;
}

static void off_done(void *ctx, const struct aws_result *result)
{
	struct duty *duty = ctx;

	called(duty, result);
	if (is_settled(result))
		return;
	duty->off = !duty->off;
	duty->off_due = loop_monotonic_ms() + AGAIN_MS;
}

void duty_set_off(struct duty *duty, bool off)
{
	struct aws_target_id target = { .id = own_instance(duty) };
	struct aws_caller caller = { .done = off_done, .ctx = duty };
	const char *group = duty->agent->conf.ha.target_group;

	if (off == duty->off || !*group || !*target.id || loop_monotonic_ms() < duty->off_due)
		return;
	duty->off = off;
	if ((off ? aws_elb_deregister : aws_elb_register)(duty->client, group, 1, &target,
							  &caller) < 0)
		duty->off = !off; /* too many calls wait: at the next look */
}

static void completed(void *ctx, const struct aws_result *result)
{
	struct duty *duty = ctx;

	called(duty, result);
	duty->completing = false;
	duty->completed = is_settled(result);
	duty->complete_due = loop_monotonic_ms() + AGAIN_MS;
}

void duty_complete(struct duty *duty)
{
	struct aws_lifecycle_action action = {
		.hook = duty->agent->conf.ha.lifecycle_hook,
		.group = duty->agent->conf.ha.group,
		.instance = own_instance(duty),
	};
	struct aws_caller caller = { .done = completed, .ctx = duty };
	bool waits = duty->agent->watch && watch_is_leaving(duty->agent->watch, NOTICE_LIFECYCLE);

	if (!waits)
		duty->completed = false;
	if (!waits || duty->completed || duty->completing || !*action.hook || !*action.instance ||
	    loop_monotonic_ms() < duty->complete_due)
		return;
	duty->completing = aws_autoscaling_complete(duty->client, &action, true, &caller) > 0;
}
