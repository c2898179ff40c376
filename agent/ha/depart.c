/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "depart.h"

#include "agent.h"
#include "ha_state.h"
#include "log.h"

enum { LEAVE_MS = 45000 /* then an agent that was told to end does so, drained or not */ };

static const char *own_name(const struct ha *ha)
{
	return ha->members.conf->nodes.item[ha->members.self].id;
}

/* The zone is another's, and that one has all of it. */
static bool is_gone(const struct policy_zone *z)
{
	return (z->state == POLICY_STANDBY || z->state == POLICY_SUSPECT) && z->rest_due < 0;
}

void depart_look(struct ha *ha)
{
	bool gone = ha->policy.draining;

	duty_set_off(&ha->duty, ha->policy.draining);
	for (unsigned int i = 0; i < ha->members.zones; i++)
		gone &= is_gone(&ha->policy.zone[i]);
	if (gone && !ha->drained)
		log_note("failover node=%s step=drain result=ok: nothing is owned here any more",
			 own_name(ha));
	ha->drained = gone;
	if (!gone)
		return;
	duty_complete(&ha->duty);
	if (ha->ending && !ha->duty.completing)
		loop_stop(ha->agent->loop);
}

static void leave(void *ctx)
{
	struct ha *ha = ctx;

	log_error("failover node=%s step=drain result=late: ending with zones that nobody has taken",
		  own_name(ha));
	loop_stop(ha->agent->loop);
}

void ha_drain(struct ha *ha, bool on)
{
	struct policy_event event = { .kind = POLICY_DRAINING };

	if (on != ha->agent->drain_asked)
		log_note("failover node=%s step=drain: %s", own_name(ha),
			 on ? "handing over" : "taken back");
	agent_ask_drain(ha->agent, on);
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
