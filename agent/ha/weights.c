/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "weights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aws/elb.h"
#include "log.h"
#include "loop.h"
#include "weigh.h"

enum {
	CALL_MS = 5000, /* one call; then it is made again */
	PAUSE_FIRST_MS = 100,
	PAUSE_MAX_MS = 3000,
	LOOKS = 4, /* Describe may show what was before for a while */
};

#define TOO_MANY "the listener's default action has too many target groups"

struct fence {
	struct weights *weights;
	uint8_t zone;
	bool pending;
};

struct weights {
	struct loop *loop;
	struct aws_client *client;
	const struct members *members;
	struct leases *leases;
	const struct policy *policy;
	weights_failed failed;
	void *ctx;

	bool ours[POLICY_ZONES];
	uint64_t epoch[POLICY_ZONES];

	/* the round that is under way */
	bool running, again; /* another look is asked for meanwhile */
	bool refused;	     /* a lease says no, or cannot be read */
	int timer;
	int64_t call, began, deadline;
	unsigned int rounds, looks;
	uint32_t unchecked; /* bits by zone: leases that have not answered */
	struct fence fence[POLICY_ZONES];
	/* what follows from the leases, as far as they have been read */
	struct policy_lease lease[POLICY_ZONES];
	int64_t wrong; /* bits by zone */
	char group[WEIGH_GROUPS_MAX][HA_TEXT_MAX];
	struct weigh_groups found, wanted; /* the default action: as it was seen, and is to be */
};

static void cancel(struct weights *w)
{
	if (w->call > 0)
		aws_cancel(w->client, w->call);
	w->call = 0;
	w->wrong = 0;
	w->unchecked = 0;
	loop_timer_once(w->timer, -1);
	w->running = w->again = false;
}

static void begin(struct weights *w);

static void end(struct weights *w)
{
	bool again = w->again;

	cancel(w);
	if (again)
		begin(w);
}

static void fail(struct weights *w, const char *why)
{
	log_error("failover step=weights result=failed what=%s ms=%lld: %s",
		  w->members->conf->listener, (long long)(loop_monotonic_ms() - w->began), why);
	w->failed(w->ctx);
	end(w);
}

static void succeed(struct weights *w)
{
	if (w->rounds)
		log_note("failover step=weights result=ok what=%s ms=%lld",
			 w->members->conf->listener, (long long)(loop_monotonic_ms() - w->began));
	end(w);
}

/* Goes on after a while, or gives up. */
static void pause_for(struct weights *w, unsigned int times)
{
	int64_t ms = PAUSE_FIRST_MS;

	while (times-- && ms < PAUSE_MAX_MS)
		ms *= 2;
	if (loop_monotonic_ms() + ms >= w->deadline)
		fail(w, "not done within ha_budget");
	else
		loop_timer_once(w->timer, ms);
}

/* Those are wrong in a way that the next try does not change. */
static bool is_final(const struct aws_result *result)
{
	return result->fault == AWS_REFUSED &&
	       (!strcmp(result->code, "AccessDenied") ||
		!strcmp(result->code, "ListenerNotFound") ||
		!strcmp(result->code, "TargetGroupNotFound") ||
		!strcmp(result->code, "ValidationError") ||
		!strncmp(result->code, "Invalid", strlen("Invalid")));
}

static void modified(void *ctx, const struct aws_result *result);
static void look(void *ctx);

static void note(const struct weights *w, const struct aws_result *result)
{
	const struct members *m = w->members;

	for (unsigned int i = 0; i < m->zones; i++) {
		if (!(w->wrong >> i & 1))
			continue;
		log_note("failover zone=%s epoch=%" PRIu64
			 " step=ModifyListener what=%s weight=%u result=%s attempt=%u ms=%lld%s%s",
			 m->zone[i], w->lease[i].epoch, m->group_of_zone[i],
			 weigh_of(&w->wanted, m->group_of_zone[i]),
			 result->fault == AWS_OK ? "ok" :
			 *result->code		 ? result->code :
						   aws_fault_name(result->fault),
			 w->rounds, (long long)result->duration_ms, *result->message ? ": " : "",
			 result->message);
	}
}

static void modify(struct weights *w)
{
	struct aws_caller caller = { modified, w, CALL_MS, 1 };

	w->rounds++;
	w->looks = 0;
	w->call = aws_elb_listener_weights(w->client, w->members->conf->listener, w->wanted.count,
					   w->wanted.item, &caller);
	if (w->call <= 0)
		pause_for(w, w->rounds); /* too many calls wait */
}

static void modified(void *ctx, const struct aws_result *result)
{
	struct weights *w = ctx;

	w->call = 0;
	note(w, result);
	if (is_final(result))
		fail(w, "AWS refuses a call: see above");
	else if (result->fault == AWS_OK)
		look(w);
	else
		pause_for(w, w->rounds);
}

/* What is to be, and what of that is not so. False: there are too many groups. */
static bool compare(struct weights *w)
{
	const struct members *m = w->members;
	struct weigh_zone zones[POLICY_ZONES];

	for (unsigned int i = 0; i < m->zones; i++) {
		uint8_t owner = w->lease[i].owner;

		zones[i] = (struct weigh_zone){ m->zone[i], m->group_of_zone[i],
						owner < m->nodes ? m->conf->nodes.item[owner].zone :
								   NULL };
	}
	w->wanted = w->found;
	w->wrong = weigh(zones, m->zones, &w->wanted);
	return w->wrong >= 0;
}

static void decide(struct weights *w)
{
	if (w->refused)
		pause_for(w, w->rounds);
	else if (!compare(w))
		fail(w, TOO_MANY);
	else if (w->wrong)
		modify(w);
	else
		succeed(w);
}

static void checked(void *ctx, uint64_t epoch, const struct policy_lease *lease, const char *why)
{
	struct fence *fence = ctx;
	struct weights *w = fence->weights;
	unsigned int zone = fence->zone;

	fence->pending = false;
	if (!(w->unchecked >> zone & 1))
		return;
	w->unchecked &= ~(1u << zone);
	/* if ours is another's, the policy stops us; meanwhile nothing is called */
	w->refused |= !lease || (w->ours[zone] && (why || w->epoch[zone] != epoch));
	if (lease)
		w->lease[zone] = *lease;
	if (!w->unchecked)
		decide(w);
}

/* All leases, just before the call: a weight follows from who owns which zone. */
static void check(struct weights *w)
{
	for (unsigned int i = 0; i < w->members->zones; i++) {
		/* asked in a round before: that answer is too old for this one */
		if (w->fence[i].pending) {
			pause_for(w, w->rounds);
			return;
		}
	}
	w->refused = false;
	w->unchecked = (1u << w->members->zones) - 1;
	for (unsigned int i = 0; i < w->members->zones; i++) {
		w->fence[i] = (struct fence){ w, i, true };
		/* without memory: as a lease that cannot be read */
		if (lease_check(w->leases, i, w->epoch[i], checked, &w->fence[i]))
			checked(&w->fence[i], w->epoch[i], NULL, "out of memory");
	}
}

static bool take(struct weights *w, const struct aws_listener *listener)
{
	if (listener->group_count > WEIGH_GROUPS_MAX)
		return false;
	w->found.count = listener->group_count;
	for (unsigned int i = 0; i < w->found.count; i++) {
		if (strlen(listener->groups[i].target_group) >= HA_TEXT_MAX)
			return false;
		strcpy(w->group[i], listener->groups[i].target_group);
		w->found.item[i] = (struct aws_weight){ w->group[i], listener->groups[i].weight };
	}
	for (unsigned int i = 0; i < w->members->zones; i++)
		w->lease[i] = w->policy->zone[i].lease;
	return compare(w);
}

static void looked(void *ctx, const struct aws_result *result)
{
	const struct aws_listeners *listeners = result->output;
	struct weights *w = ctx;

	w->call = 0;
	w->looks++;
	if (result->fault != AWS_OK) {
		log_error("failover step=DescribeListeners result=%s ms=%lld: %s",
			  aws_fault_name(result->fault), (long long)result->duration_ms,
			  result->message);
		if (is_final(result))
			fail(w, "AWS refuses a call: see above");
		else
			pause_for(w, w->looks);
		return;
	}
	if (listeners->count != 1 || !listeners->items->forwards)
		fail(w, "the listener's default action is not to forward, and nothing else");
	else if (!take(w, listeners->items))
		fail(w, TOO_MANY);
	else if (!w->wrong)
		succeed(w);
	else if (w->rounds && w->looks < LOOKS)
		pause_for(w, w->looks);
	else
		check(w);
}

/* What does Describe show? */
static void look(void *ctx)
{
	struct weights *w = ctx;
	struct aws_caller caller = { looked, w, CALL_MS, 1 };

	w->call = aws_elb_describe_listener(w->client, w->members->conf->listener, &caller);
	if (w->call <= 0)
		pause_for(w, w->looks);
}

static void begin(struct weights *w)
{
	w->running = true;
	w->began = loop_monotonic_ms();
	w->deadline = w->began + w->members->conf->budget;
	w->rounds = w->looks = 0;
	look(w);
}

void weights_set(struct weights *w, unsigned int zone, uint64_t epoch)
{
	if (!w->members->conf->groups.count)
		return;
	w->ours[zone] = true;
	w->epoch[zone] = epoch;
	if (w->running)
		w->again = true;
	else
		begin(w);
}

void weights_stop(struct weights *w, unsigned int zone)
{
	bool any = false;

	w->ours[zone] = false;
	for (unsigned int i = 0; i < w->members->zones; i++)
		any |= w->ours[i];
	if (!any)
		cancel(w);
}

struct weights *weights_new(struct loop *loop, struct aws_client *client,
			    const struct members *members, struct leases *leases,
			    const struct policy *policy, weights_failed failed, void *ctx)
{
	struct weights *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct weights){ .loop = loop,
			       .client = client,
			       .members = members,
			       .leases = leases,
			       .policy = policy,
			       .failed = failed,
			       .ctx = ctx };
	w->timer = loop_timer(loop, look, w);
	if (w->timer >= 0)
		return w;
	free(w);
	return NULL;
}

void weights_free(struct weights *w)
{
	if (!w)
		return;
	cancel(w);
	loop_timer_free(w->loop, w->timer);
	free(w);
}
