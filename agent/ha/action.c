/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "action.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/ec2.h"
#include "conf.h"
#include "log.h"
#include "loop.h"

enum {
	CALL_MS = 5000, /* one call; then it is made again */
	PAUSE_FIRST_MS = 100,
	PAUSE_MAX_MS = 3000,
	LOOKS = 4, /* Describe may show what was before for a while */
};

enum item_state {
	ITEM_TODO,
	ITEM_CALLING,
	ITEM_DONE,
	ITEM_REFUSED, /* for good: it would be refused again */
};

/* A route or an elastic IP. */
struct item {
	struct job *job;
	bool is_route, create;
	uint8_t index; /* in the configuration */
	enum item_state state;
	unsigned int attempts;
	int64_t call;
};

/* The move of a zone. */
struct job {
	struct moves *moves;
	unsigned int zone;
	uint64_t epoch;
	bool running, checking;
	int64_t began, deadline;
	unsigned int rounds, looks, wrong;
	bool look_failed;
	int timer;
	int64_t look[2]; /* calls: routes, addresses; 0: none */
	unsigned int count;
	struct item item[HA_ROUTES_MAX + HA_ADDRESSES_MAX];
};

struct moves {
	struct loop *loop;
	struct aws_client *client;
	const struct members *members;
	struct leases *leases;
	struct move_user user;
	struct job job[POLICY_ZONES];
};

static const struct ha_node *self(const struct moves *m)
{
	return &m->members->conf->nodes.item[m->members->self];
}

static const char *item_name(const struct item *item)
{
	const struct ha_conf *conf = item->job->moves->members->conf;

	return item->is_route ? conf->routes.item[item->index].table :
				conf->addresses.item[item->index].allocation;
}

static void cancel(struct job *job)
{
	struct moves *m = job->moves;

	for (unsigned int i = 0; i < job->count; i++) {
		if (job->item[i].state == ITEM_CALLING)
			aws_cancel(m->client, job->item[i].call);
	}
	for (int i = 0; i < 2; i++) {
		if (job->look[i] > 0)
			aws_cancel(m->client, job->look[i]);
		job->look[i] = 0;
	}
	loop_timer_once(job->timer, -1);
	job->running = false;
}

static void end(struct job *job, enum policy_event_kind kind, const char *why)
{
	struct moves *m = job->moves;
	struct policy_event event = { .kind = kind, .zone = job->zone, .epoch = job->epoch };
	long long ms = loop_monotonic_ms() - job->began;

	cancel(job);
	if (kind != POLICY_MOVED)
		log_error("failover zone=%s epoch=%" PRIu64 " step=move result=failed ms=%lld: %s",
			  m->members->zone[job->zone], job->epoch, ms, why);
	else if (job->rounds)
		log_note("failover zone=%s epoch=%" PRIu64 " step=move result=ok ms=%lld items=%u",
			 m->members->zone[job->zone], job->epoch, ms, job->count);
	m->user.event(m->user.ctx, &event);
}

static void look(struct job *job);
static void call_all(struct job *job);

/* Goes on after a while with what is left, or gives up. */
static void pause_for(struct job *job, unsigned int times)
{
	int64_t ms = PAUSE_FIRST_MS;

	while (times-- && ms < PAUSE_MAX_MS)
		ms *= 2;
	if (loop_monotonic_ms() + ms >= job->deadline)
		end(job, POLICY_MOVE_FAILED, "not done within ha_budget");
	else
		loop_timer_once(job->timer, ms);
}

static void checked(void *ctx, uint64_t epoch, const struct policy_lease *lease, const char *why)
{
	struct job *job = ctx;

	(void)lease;
	if (!job->running || epoch != job->epoch)
		return;
	job->checking = false;
	if (!why)
		call_all(job);
	else
		pause_for(job, job->rounds); /* if it is another's, the policy stops us */
}

static void check(struct job *job)
{
	if (job->checking)
		return;
	job->checking = true;
	if (lease_check(job->moves->leases, job->zone, job->epoch, checked, job)) {
		job->checking = false;
		pause_for(job, job->rounds);
	}
}

static bool has(const struct job *job, enum item_state state)
{
	for (unsigned int i = 0; i < job->count; i++) {
		if (job->item[i].state == state)
			return true;
	}
	return false;
}

static void go_on(void *ctx)
{
	struct job *job = ctx;

	if (has(job, ITEM_TODO))
		check(job);
	else
		look(job);
}

/* Those are wrong in a way that the next try does not change. */
static bool is_final(const struct aws_result *result)
{
	static const char *const codes[] = {
		"UnauthorizedOperation",
		"AccessDenied",
		"InvalidRouteTableID",
		"InvalidAllocationID",
		"InvalidNetworkInterfaceID",
		"InvalidAddress",
		"AuthFailure",
		"MissingParameter",
	};

	for (unsigned int i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (result->fault == AWS_REFUSED &&
		    !strncmp(result->code, codes[i], strlen(codes[i])))
			return true;
	}
	return false;
}

/* ReplaceRoute wants one that is there, CreateRoute one that is not. */
static bool is_other_kind(const struct item *item, const struct aws_result *result)
{
	if (!item->is_route || result->fault != AWS_REFUSED)
		return false;
	return item->create ? !strcmp(result->code, "RouteAlreadyExists") :
			      !strcmp(result->code, "InvalidParameterValue") ||
				      !strcmp(result->code, "InvalidRoute.NotFound");
}

static void item_done(void *ctx, const struct aws_result *result)
{
	struct item *item = ctx;
	struct job *job = item->job;
	struct moves *m = job->moves;

	item->attempts++;
	item->call = 0;
	log_note("failover zone=%s epoch=%" PRIu64
		 " step=%s what=%s to=%s result=%s attempt=%u ms=%lld%s%s",
		 m->members->zone[job->zone], job->epoch, aws_calls[result->op].action,
		 item_name(item), self(m)->id,
		 result->fault == AWS_OK ? "ok" :
		 *result->code		 ? result->code :
					   aws_fault_name(result->fault),
		 item->attempts, (long long)result->duration_ms, *result->message ? ": " : "",
		 result->message);
	if (result->fault == AWS_OK) {
		item->state = ITEM_DONE;
		if (!item->is_route)
			m->user.placed(m->user.ctx, item->index);
	} else {
		item->state = is_final(result) ? ITEM_REFUSED : ITEM_TODO;
		if (is_other_kind(item, result))
			item->create = !item->create;
	}
	if (has(job, ITEM_CALLING))
		return;
	if (has(job, ITEM_TODO))
		pause_for(job, job->rounds);
	else if (has(job, ITEM_REFUSED))
		end(job, POLICY_MOVE_FAILED, "AWS refuses a call: see above");
	else
		look(job);
}

static int64_t call(struct item *item)
{
	struct job *job = item->job;
	struct moves *m = job->moves;
	struct aws_caller caller = { item_done, item, CALL_MS, 1 };
	const struct ha_conf *conf = m->members->conf;
	const struct ha_address *address = &conf->addresses.item[item->index];
	const struct ha_route *route = &conf->routes.item[item->index];
	char private[INET_ADDRSTRLEN];

	if (item->is_route)
		return (item->create ? aws_ec2_create_route :
				       aws_ec2_replace_route)(m->client, route->table, route->cidr,
							      AWS_TARGET_INTERFACE,
							      self(m)->interface, &caller);
	inet_ntop(AF_INET, &m->members->private[item->index][m->members->self], private,
		  sizeof(private));
	return aws_ec2_associate_address(m->client, address->allocation, self(m)->interface,
					 private, false, &caller);
}

static void call_all(struct job *job)
{
	job->rounds++;
	for (unsigned int i = 0; i < job->count; i++) {
		struct item *item = &job->item[i];

		if (item->state != ITEM_TODO)
			continue;
		item->call = call(item);
		if (item->call > 0) /* else there are too many at a time: with the next round */
			item->state = ITEM_CALLING;
	}
	if (!has(job, ITEM_CALLING))
		has(job, ITEM_TODO) ? pause_for(job, job->rounds) : look(job);
}

static bool route_is_right(const struct item *item, const struct aws_route_tables *tables)
{
	const struct moves *m = item->job->moves;
	const struct ha_route *wanted = &m->members->conf->routes.item[item->index];

	for (size_t i = 0; i < tables->count; i++) {
		const struct aws_route_table *table = &tables->items[i];

		for (size_t j = 0; !strcmp(table->id, wanted->table) && j < table->route_count;
		     j++) {
			const struct aws_route *route = &table->routes[j];

			if (!strcmp(route->destination, wanted->cidr))
				return !strcmp(route->interface, self(m)->interface) &&
				       !strcmp(route->state, "active");
		}
	}
	return false;
}

static bool address_is_right(const struct item *item, const struct aws_addresses *addresses)
{
	const struct moves *m = item->job->moves;
	const char *wanted = m->members->conf->addresses.item[item->index].allocation;
	char private[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &m->members->private[item->index][m->members->self], private,
		  sizeof(private));
	for (size_t i = 0; i < addresses->count; i++) {
		const struct aws_address *address = &addresses->items[i];

		if (!strcmp(address->allocation, wanted))
			return !strcmp(address->interface, self(m)->interface) &&
			       !strcmp(address->private_address, private);
	}
	return false;
}

/* Both answers are there. */
static void looked(struct job *job)
{
	struct moves *m = job->moves;

	job->looks++;
	if (job->look_failed) {
		pause_for(job, job->looks);
		return;
	}
	if (!job->wrong) {
		end(job, POLICY_MOVED, "");
		return;
	}
	if (job->rounds && job->looks < LOOKS) {
		pause_for(job, job->looks);
		return;
	}
	if (!job->rounds)
		log_note("failover zone=%s epoch=%" PRIu64 " step=audit wrong=%u",
			 m->members->zone[job->zone], job->epoch, job->wrong);
	job->looks = 0;
	check(job);
}

static void look_done(void *ctx, const struct aws_result *result)
{
	struct job *job = ctx;
	struct moves *m = job->moves;
	bool routes = result->op == AWS_OP_DescribeRouteTables;

	job->look[!routes] = 0;
	job->look_failed |= result->fault != AWS_OK;
	for (unsigned int i = 0; result->fault == AWS_OK && i < job->count; i++) {
		struct item *item = &job->item[i];
		bool right;

		if (item->is_route != routes)
			continue;
		right = routes ? route_is_right(item, result->output) :
				 address_is_right(item, result->output);
		job->wrong += !right;
		/* a last look too many makes it be called for again */
		if (right || !job->rounds || job->looks + 1 >= LOOKS)
			item->state = right ? ITEM_DONE : ITEM_TODO;
		if (right && !routes)
			m->user.placed(m->user.ctx, item->index);
	}
	if (result->fault != AWS_OK)
		log_error("failover zone=%s epoch=%" PRIu64 " step=%s result=%s ms=%lld: %s",
			  m->members->zone[job->zone], job->epoch, aws_calls[result->op].action,
			  aws_fault_name(result->fault), (long long)result->duration_ms,
			  result->message);
	if (!job->look[0] && !job->look[1])
		looked(job);
}

/* What does Describe show? */
static void look(struct job *job)
{
	const char *tables[HA_ROUTES_MAX], *allocations[HA_ADDRESSES_MAX];
	struct aws_query routes = { .ids = tables }, addresses = { .ids = allocations };
	struct aws_caller caller = { look_done, job, CALL_MS, 1 };
	struct moves *m = job->moves;
	const char *name;

	for (unsigned int i = 0; i < job->count; i++) {
		name = item_name(&job->item[i]);
		if (!job->item[i].is_route)
			allocations[addresses.id_count++] = name;
		else if (!routes.id_count || strcmp(tables[routes.id_count - 1], name))
			tables[routes.id_count++] = name;
	}
	job->wrong = 0;
	job->look_failed = false;
	job->look[0] = job->look[1] = 0;
	if (routes.id_count)
		job->look[0] = aws_ec2_describe_route_tables(m->client, &routes, &caller);
	if (addresses.id_count)
		job->look[1] = aws_ec2_describe_addresses(m->client, &addresses, &caller);
	for (int i = 0; i < 2; i++) {
		if (job->look[i] >= 0)
			continue;
		job->look_failed = true;
		job->look[i] = 0;
	}
	if (!job->look[0] && !job->look[1])
		looked(job);
}

static void add_item(struct job *job, bool is_route, unsigned int index)
{
	job->item[job->count++] = (struct item){ .job = job, .is_route = is_route, .index = index };
}

void move_begin(struct moves *m, unsigned int zone, uint64_t epoch, enum move_how how)
{
	struct job *job = &m->job[zone];

	cancel(job);
	job->running = true;
	job->checking = false;
	job->epoch = epoch;
	job->began = loop_monotonic_ms();
	job->deadline = job->began + m->members->conf->budget;
	job->rounds = job->looks = job->count = 0;
	for (unsigned int i = 0; i < m->members->conf->routes.count; i++) {
		if (m->members->zone_of_route[i] == zone)
			add_item(job, true, i);
	}
	for (unsigned int i = 0; i < m->members->conf->addresses.count; i++) {
		if (m->members->zone_of_address[i] == zone)
			add_item(job, false, i);
	}
	if (how == MOVE_CLAIMED)
		call_all(job);
	else if (how == MOVE_CHECKED)
		check(job);
	else
		look(job);
}

void move_stop(struct moves *m, unsigned int zone)
{
	cancel(&m->job[zone]);
}

struct moves *moves_new(struct loop *loop, struct aws_client *client, const struct members *members,
			struct leases *leases, const struct move_user *user)
{
	struct moves *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->loop = loop;
	m->client = client;
	m->members = members;
	m->leases = leases;
	m->user = *user;
	for (unsigned int i = 0; i < POLICY_ZONES; i++) {
		m->job[i].moves = m;
		m->job[i].zone = i;
		m->job[i].timer = -1;
	}
	for (unsigned int i = 0; i < members->zones; i++) {
		m->job[i].timer = loop_timer(loop, go_on, &m->job[i]);
		if (m->job[i].timer < 0) {
			moves_free(m);
			return NULL;
		}
	}
	return m;
}

void moves_free(struct moves *m)
{
	if (!m)
		return;
	for (unsigned int i = 0; i < m->members->zones; i++) {
		if (m->job[i].running)
			cancel(&m->job[i]);
		loop_timer_free(m->loop, m->job[i].timer);
	}
	free(m);
}
