/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "weights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aws/elb.h"
#include "log.h"
#include "loop.h"

enum {
	CALL_MS = 5000, /* one call; then it is made again */
	PAUSE_FIRST_MS = 100,
	PAUSE_MAX_MS = 3000,
	LOOKS = 4, /* Describe may show what was before for a while */
	WEIGHT_ON = 100,
	GROUPS_MAX = 16, /* AWS allows 5 in an action */
};

struct fence {
	struct weights *weights;
	uint8_t zone;
	bool pending;
	uint64_t epoch;
};

struct weights {
	struct loop *loop;
	struct aws_client *client;
	const struct members *members;
	struct leases *leases;
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
	uint32_t wrong;	    /* bits by zone */
	uint32_t unchecked; /* of those: leases that have not answered */
	struct fence fence[POLICY_ZONES];
	/* the default action as it is to be: as it was seen, but for our zones */
	unsigned int count;
	char group[GROUPS_MAX][HA_TEXT_MAX];
	struct aws_weight weight[GROUPS_MAX];
};

static void cancel(struct weights *w)
{
	if (w->call > 0)
		aws_cancel(w->client, w->call);
	w->call = 0;
	w->wrong = w->unchecked = 0;
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

static unsigned int wanted(const struct weights *w, unsigned int zone)
{
	const struct members *m = w->members;

	return strcmp(m->conf->nodes.item[m->self].zone, m->zone[zone]) ? 0 : WEIGHT_ON;
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
			 m->zone[i], w->fence[i].epoch, m->group_of_zone[i], wanted(w, i),
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
	w->call = aws_elb_listener_weights(w->client, w->members->conf->listener, w->count,
					   w->weight, &caller);
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

static void checked(void *ctx, uint64_t epoch, const char *why)
{
	struct fence *fence = ctx;
	struct weights *w = fence->weights;

	fence->pending = false;
	if (!(w->unchecked >> fence->zone & 1))
		return;
	w->unchecked &= ~(1u << fence->zone);
	/* if it is another's, the policy stops us; meanwhile nothing is called */
	w->refused |= why || !w->ours[fence->zone] || w->epoch[fence->zone] != epoch;
	if (w->unchecked)
		return;
	if (w->refused)
		pause_for(w, w->rounds);
	else
		modify(w);
}

/* The lease of each zone whose weight is to change, just before the call. */
static void check(struct weights *w)
{
	uint32_t zones = w->wrong;

	for (unsigned int i = 0; i < w->members->zones; i++) {
		/* asked in a round before: that answer is too old for this one */
		if (zones >> i & 1 && w->fence[i].pending) {
			pause_for(w, w->rounds);
			return;
		}
	}
	w->refused = false;
	w->unchecked = zones;
	for (unsigned int i = 0; i < w->members->zones; i++) {
		if (!(zones >> i & 1))
			continue;
		w->fence[i] = (struct fence){ w, i, true, w->epoch[i] };
		/* without memory: as a lease that cannot be read */
		if (lease_check(w->leases, i, w->epoch[i], checked, &w->fence[i]))
			checked(&w->fence[i], w->epoch[i], "out of memory");
	}
}

static struct aws_weight *find(struct weights *w, const char *group)
{
	for (unsigned int i = 0; i < w->count; i++) {
		if (!strcmp(w->weight[i].target_group, group))
			return &w->weight[i];
	}
	return NULL;
}

static bool add(struct weights *w, const char *group, unsigned int weight)
{
	if (w->count == GROUPS_MAX || strlen(group) >= HA_TEXT_MAX)
		return false;
	strcpy(w->group[w->count], group);
	w->weight[w->count] = (struct aws_weight){ w->group[w->count], weight };
	w->count++;
	return true;
}

/* What is there, with the weights of our zones as they should be. */
static bool compare(struct weights *w, const struct aws_listener *listener)
{
	w->count = 0;
	w->wrong = 0;
	for (size_t i = 0; i < listener->group_count; i++) {
		if (!add(w, listener->groups[i].target_group, listener->groups[i].weight))
			return false;
	}
	for (unsigned int i = 0; i < w->members->zones; i++) {
		const char *group = w->members->group_of_zone[i];
		struct aws_weight *weight = group ? find(w, group) : NULL;

		if (!group || !w->ours[i])
			continue;
		if (weight && weight->weight == wanted(w, i))
			continue;
		w->wrong |= 1u << i;
		if (weight)
			weight->weight = wanted(w, i);
		else if (!add(w, group, wanted(w, i)))
			return false;
	}
	return true;
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
	else if (!compare(w, listeners->items))
		fail(w, "the listener's default action has too many target groups");
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
	if (!w->members->group_of_zone[zone])
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
			    weights_failed failed, void *ctx)
{
	struct weights *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct weights){ .loop = loop,
			       .client = client,
			       .members = members,
			       .leases = leases,
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
