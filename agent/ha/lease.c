/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lease.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/dynamodb.h"
#include "conf.h"
#include "lease_item.h"
#include "log.h"

enum {
	READ_MS = 3000,	 /* budget of a read */
	CLAIM_MS = 5000, /* of a claim; then it is read back */
	NUMBER_MAX = 24,
};

/* One call under way. */
struct pending {
	struct leases *leases;
	unsigned int zone;
	int64_t number;
	uint64_t epoch;
	struct policy_lease claimed; /* what a claim wants to see */
	lease_checked checked;
	void *checked_ctx;
	struct pending *next, **previous;
};

struct leases {
	struct aws_client *client;
	const struct members *members;
	lease_event event;
	void *ctx;
	struct pending *first;
	bool failing[POLICY_ZONES]; /* has been said already */
};

struct leases *leases_new(struct aws_client *client, const struct members *members,
			  lease_event event, void *ctx)
{
	struct leases *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->client = client;
	l->members = members;
	l->event = event;
	l->ctx = ctx;
	return l;
}

static void forget(struct pending *p)
{
	*p->previous = p->next;
	if (p->next)
		p->next->previous = p->previous;
	free(p);
}

void leases_free(struct leases *l)
{
	if (!l)
		return;
	while (l->first) {
		aws_cancel(l->client, l->first->number);
		forget(l->first);
	}
	free(l);
}

static struct pending *remember(struct leases *l, unsigned int zone)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->leases = l;
	p->zone = zone;
	p->next = l->first;
	p->previous = &l->first;
	if (p->next)
		p->next->previous = &p->next;
	l->first = p;
	return p;
}

static void tell(struct leases *l, unsigned int zone, enum policy_event_kind kind,
		 const struct policy_lease *lease)
{
	struct policy_event event = { .kind = kind, .zone = zone };

	if (lease)
		event.lease = *lease;
	l->event(l->ctx, &event);
}

static enum policy_reason reason_of(const char *text)
{
	for (int i = 0; i < POLICY_REASONS; i++) {
		if (!strcmp(policy_reason_names[i], text))
			return i;
	}
	return POLICY_NO_REASON;
}

static void parse_item(const struct leases *l, const struct aws_item *item,
		       struct policy_lease *lease)
{
	struct lease_item read;

	lease_item_read(item, &read);
	*lease = (struct policy_lease){ .there = read.there,
					.owner = POLICY_NOBODY,
					.epoch = read.epoch,
					.witness = read.witness,
					.reason = reason_of(read.reason),
					.held = read.held };
	if (!read.there)
		return;
	lease->owner = members_node(l->members, read.owner);
	if (lease->owner == POLICY_NOBODY)
		lease->owner = POLICY_STRANGER;
}

/* Said when it begins and when it ends, not each time. */
static void note_failure(struct leases *l, unsigned int zone, const struct aws_result *result)
{
	if (result->fault == AWS_OK && l->failing[zone])
		log_note("failover zone=%s step=lease result=ok: the table answers again",
			 l->members->zone[zone]);
	if (result->fault != AWS_OK && !l->failing[zone])
		log_error("failover zone=%s step=lease result=%s ms=%lld: %s",
			  l->members->zone[zone], aws_fault_name(result->fault),
			  (long long)result->duration_ms, result->message);
	l->failing[zone] = result->fault != AWS_OK;
}

static void call_check(struct pending *p, const struct aws_result *result,
		       const struct policy_lease *lease)
{
	const char *why = NULL;

	if (result->fault != AWS_OK)
		why = "the lease cannot be read";
	else if (!lease->there || lease->epoch != p->epoch ||
		 lease->owner != p->leases->members->self)
		why = "the zone is another's by now";
	p->checked(p->checked_ctx, p->epoch, result->fault == AWS_OK ? lease : NULL, why);
}

static void read_done(void *ctx, const struct aws_result *result)
{
	struct pending *p = ctx, copy = *p;
	struct leases *l = p->leases;
	struct policy_lease lease;
	bool ours;

	forget(p);
	note_failure(l, copy.zone, result);
	parse_item(l, result->fault == AWS_OK ? result->output : NULL, &lease);
	if (copy.checked) {
		/* before the event: who checks must not be surprised by what follows from it */
		call_check(&copy, result, &lease);
		if (result->fault == AWS_OK)
			tell(l, copy.zone, POLICY_LEASE, &lease);
		return;
	}
	if (!copy.claimed.epoch) {
		tell(l, copy.zone, result->fault == AWS_OK ? POLICY_LEASE : POLICY_LEASE_FAILED,
		     &lease);
		return;
	}
	/* a claim read back */
	ours = lease.there && lease.epoch == copy.claimed.epoch && lease.owner == l->members->self;
	if (result->fault != AWS_OK)
		tell(l, copy.zone, POLICY_UNCERTAIN, NULL);
	else
		tell(l, copy.zone, ours ? POLICY_WON : POLICY_LOST, &lease);
}

static void send_read(struct pending *p)
{
	struct leases *l = p->leases;
	struct aws_caller caller = { .done = read_done, .ctx = p, .budget_ms = READ_MS };
	struct aws_attribute key = { "az", AWS_STRING, l->members->zone[p->zone] };
	struct aws_result failed = { .fault = AWS_UNAVAILABLE };

	p->number = aws_dynamodb_get(l->client, l->members->conf->lease_table, 1, &key, &caller);
	if (p->number > 0)
		return;
	snprintf(failed.message, sizeof(failed.message), "too many calls wait");
	read_done(p, &failed);
}

void lease_read(struct leases *l, unsigned int zone)
{
	struct pending *p = remember(l, zone);

	if (p)
		send_read(p);
	else
		tell(l, zone, POLICY_LEASE_FAILED, NULL);
}

int lease_check(struct leases *l, unsigned int zone, uint64_t epoch, lease_checked done, void *ctx)
{
	struct pending *p = remember(l, zone);

	if (!p)
		return -ENOMEM;
	p->epoch = epoch;
	p->checked = done;
	p->checked_ctx = ctx;
	send_read(p);
	return 0;
}

static void claim_done(void *ctx, const struct aws_result *result)
{
	struct pending *p = ctx;
	struct leases *l = p->leases;
	struct policy_lease lease;
	unsigned int zone = p->zone;

	log_note("failover zone=%s epoch=%" PRIu64 " step=claim result=%s ms=%lld%s%s",
		 l->members->zone[zone], p->claimed.epoch,
		 result->fault == AWS_OK ? "ok" :
		 *result->code		 ? result->code :
					   aws_fault_name(result->fault),
		 (long long)result->duration_ms, *result->message ? ": " : "", result->message);
	if (result->fault != AWS_OK) {
		send_read(p); /* it may be ours all the same */
		return;
	}
	parse_item(l, result->output, &lease);
	forget(p);
	tell(l, zone, POLICY_WON, &lease);
}

/* Where the condition is on a lease that is there, on its owner by name. */
static const char *owner_name(const struct leases *l, const struct policy_lease *lease)
{
	return lease->owner < l->members->nodes ? l->members->conf->nodes.item[lease->owner].id :
						  "";
}

void lease_claim(struct leases *l, unsigned int zone, const struct policy_lease *expected,
		 enum policy_reason reason)
{
	struct pending *p = remember(l, zone);
	struct aws_caller caller = { .done = claim_done, .ctx = p, .budget_ms = CLAIM_MS };
	struct aws_attribute key = { "az", AWS_STRING, l->members->zone[zone] };
	const char *self = l->members->conf->nodes.item[l->members->self].id;
	const struct lease_item before = { .there = expected->there,
					   .owner = owner_name(l, expected),
					   .epoch = expected->epoch };
	struct lease_claim claim;

	if (!p) {
		tell(l, zone, POLICY_UNCERTAIN, NULL);
		return;
	}
	p->claimed = (struct policy_lease){ .there = true, .epoch = expected->epoch + 1 };
	/* whether a hold counts depends on the reason, and the policy has decided that */
	lease_claim_write(&claim, &before, self, policy_reason_names[reason], time(NULL), false);
	p->number = aws_dynamodb_update(l->client, l->members->conf->lease_table, 1, &key,
					&claim.expression, &caller);
	if (p->number > 0)
		return;
	forget(p);
	tell(l, zone, POLICY_UNCERTAIN, NULL);
}

static void witness_done(void *ctx, const struct aws_result *result)
{
	struct pending *p = ctx;
	struct leases *l = p->leases;
	unsigned int zone = p->zone;

	forget(p);
	/* somebody else has it: the policy is to hear that at once */
	if (result->fault == AWS_REFUSED)
		lease_read(l, zone);
}

void lease_witness(struct leases *l, unsigned int zone, uint64_t epoch)
{
	struct pending *p = remember(l, zone);
	struct aws_caller caller = { .done = witness_done, .ctx = p, .budget_ms = READ_MS };
	struct aws_attribute key = { "az", AWS_STRING, l->members->zone[zone] };
	const struct aws_name names[] = { { "#o", "owner" },
					  { "#e", "epoch" },
					  { "#w", "witness" } };
	char number[NUMBER_MAX];
	struct aws_attribute values[] = {
		{ ":o", AWS_STRING, l->members->conf->nodes.item[l->members->self].id },
		{ ":e", AWS_NUMBER, number },
		{ ":one", AWS_NUMBER, "1" },
		{ ":none", AWS_NUMBER, "0" },
	};
	struct aws_expression expression = {
		.update = "SET #w = if_not_exists(#w, :none) + :one",
		.condition = "#e = :e AND #o = :o",
		.name_count = 3,
		.names = names,
		.value_count = 4,
		.values = values,
	};

	if (!p)
		return;
	snprintf(number, sizeof(number), "%" PRIu64, epoch);
	p->number = aws_dynamodb_update(l->client, l->members->conf->lease_table, 1, &key,
					&expression, &caller);
	if (p->number <= 0)
		forget(p);
}

static void hold_done(void *ctx, const struct aws_result *result)
{
	struct pending *p = ctx;

	if (result->fault != AWS_OK)
		log_error("failover zone=%s step=hold result=%s: %s",
			  p->leases->members->zone[p->zone],
			  *result->code ? result->code : aws_fault_name(result->fault),
			  result->message);
	send_read(p);
}

void lease_hold(struct leases *l, unsigned int zone, bool on)
{
	struct pending *p = remember(l, zone);
	struct aws_caller caller = { .done = hold_done, .ctx = p };
	struct aws_attribute key = { "az", AWS_STRING, l->members->zone[zone] };
	struct lease_hold hold;

	if (!p)
		return;
	lease_hold_write(&hold, on ? l->members->conf->nodes.item[l->members->self].id : NULL);
	p->number = aws_dynamodb_update(l->client, l->members->conf->lease_table, 1, &key,
					&hold.expression, &caller);
	if (p->number <= 0)
		forget(p);
}
