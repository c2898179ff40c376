/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the Lambda functions decide, as tables: no AWS, no clock. */
#include "unit.h"

#include <string.h>

#include "lambda/evidence.h"
#include "lambda/lifecycle.h"
#include "lambda/takeover.h"
#include "lambda/traffic.h"

#define W OPINION_WELL
#define I OPINION_ILL
#define N OPINION_NONE

enum { NOW = 1000000 };

/* a and b are at home in their zones, s stands by in a's. */
static struct node nodes[] = {
	{ .name = "a", .zone = "a" },
	{ .name = "b", .zone = "b" },
	{ .name = "c", .zone = "c" },
	{ .name = "s", .zone = "a" },
};

struct seen {
	bool running;
	enum opinion instance, target, reach;
};

static const struct seen well = { true, W, W, N }, ill = { true, W, I, N },
			 unknown = { true, N, N, N }, gone = { false, N, N, N };
/* Its agent is dead, so the load balancer calls it ill; what it has reached itself. */
static const struct seen alone = { true, W, I, W }, cut_off = { true, W, W, I },
			 reaches = { true, W, W, W };

struct row {
	const char *what;
	enum wish wish;
	const char *to, *owner; /* NULL: there is no lease */
	int age;		/* of the lease, s */
	bool by_hand, held, witness;
	const struct seen *a, *b, *c, *s; /* NULL: there is no such instance */
	enum decision decision;
	const char *target;
};

/* The nodes have been asked three times. */
static const struct row rows[] = {
	{ "dead owner", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &gone, &well, &well, 0, DECIDE_CLAIM,
	  "b" },
	{ "dead owner without lease", WISH_FAILOVER, 0, 0, 0, 0, 0, 0, &gone, &well, &well, 0,
	  DECIDE_CLAIM, "b" },
	{ "the standby of the zone comes first", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &gone, &well,
	  &well, &well, DECIDE_CLAIM, "s" },
	{ "unless it is ill", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &gone, &well, &well, &ill,
	  DECIDE_CLAIM, "b" },
	{ "nobody left", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &gone, &ill, &gone, 0, DECIDE_NOTHING,
	  0 },
	{ "owner has no instance", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, 0, &unknown, 0, 0,
	  DECIDE_CLAIM, "b" },
	{ "the owner is ill and counts up", WISH_FAILOVER, 0, "a", 999, 0, 0, 1, &ill, &well, 0, 0,
	  DECIDE_CLAIM, "b" },
	{ "the owner is well and counts up", WISH_FAILOVER, 0, "a", 999, 0, 0, 1, &well, &well, 0,
	  0, DECIDE_NOTHING, 0 },
	{ "well, says all but the alarm", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &well, &well, 0, 0,
	  DECIDE_CLAIM, "b" },
	{ "taken over already", WISH_FAILOVER, 0, "b", 5, 0, 0, 0, &gone, &well, &well, 0,
	  DECIDE_COMPLETE, "b" },
	{ "taken over long ago", WISH_FAILOVER, 0, "b", 999, 0, 0, 0, &gone, &well, &well, 0,
	  DECIDE_COMPLETE, "b" },
	{ "the second owner died too", WISH_FAILOVER, 0, "b", 999, 0, 0, 0, &gone, &gone, &well, 0,
	  DECIDE_CLAIM, "c" },
	{ "the second owner died, and home is well", WISH_FAILOVER, 0, "b", 999, 0, 0, 0, &well,
	  &gone, &well, 0, DECIDE_CLAIM, "a" },
	{ "rest after a move home", WISH_FAILOVER, 0, "a", 59, 0, 0, 0, &well, &well, 0, 0,
	  DECIDE_COMPLETE, "a" },
	{ "no rest for the dead", WISH_FAILOVER, 0, "a", 5, 0, 0, 0, &gone, &well, 0, 0,
	  DECIDE_CLAIM, "b" },
	{ "no agent lives, b reaches", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &ill, &alone, 0, 0,
	  DECIDE_CLAIM, "b" },
	{ "no agent lives, b is silent", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &ill, &ill, 0, 0,
	  DECIDE_NOTHING, 0 },
	{ "no agent lives, a reaches again", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &alone, &well, 0,
	  0, DECIDE_COMPLETE, "a" },
	{ "a person knows better", WISH_FAILOVER, 0, "a", 999, 1, 0, 0, &alone, &well, 0, 0,
	  DECIDE_CLAIM, "b" },
	{ "well, and cut off", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &cut_off, &cut_off, &reaches, 0,
	  DECIDE_CLAIM, "c" },
	{ "nobody reaches anything", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &cut_off, &cut_off,
	  &cut_off, 0, DECIDE_NOTHING, 0 },
	{ "held", WISH_FAILOVER, 0, "a", 999, 0, 1, 0, &gone, &well, 0, 0, DECIDE_NOTHING, 0 },
	{ "a person, held", WISH_FAILOVER, 0, "a", 5, 1, 1, 0, &well, &well, 0, 0, DECIDE_CLAIM,
	  "b" },
	{ "a person, to", WISH_TO, "c", "a", 5, 1, 0, 0, &well, &well, &well, 0, DECIDE_CLAIM,
	  "c" },
	{ "to an ill one", WISH_TO, "c", "a", 5, 1, 0, 0, &well, &well, &ill, 0, DECIDE_NOTHING,
	  0 },
	{ "to nobody", WISH_TO, "x", "a", 5, 1, 0, 0, &well, &well, &well, 0, DECIDE_NOTHING, 0 },
	{ "to the owner", WISH_TO, "a", "a", 5, 1, 0, 0, &well, &well, 0, 0, DECIDE_COMPLETE, "a" },
	{ "home", WISH_RESTORE, 0, "b", 5, 1, 0, 0, &well, &well, 0, 0, DECIDE_CLAIM, "a" },
	{ "home, which is dead", WISH_RESTORE, 0, "b", 5, 1, 0, 0, &gone, &well, 0, 0,
	  DECIDE_NOTHING, 0 },
};

static void check(const struct row *row, unsigned int looks)
{
	const struct seen *seen[] = { row->a, row->b, row->c, row->s };
	struct candidate candidates[4];
	struct question question = { .zone = "a",
				     .wish = row->wish,
				     .to = row->to,
				     .by_hand = row->by_hand,
				     .held = row->held,
				     .witness_moves = row->witness,
				     .now = NOW,
				     .looks = looks,
				     .home = 0,
				     .places = 4,
				     .candidates = candidates };
	struct ruling ruling;

	for (int k = 0; k < 4; k++) {
		if (seen[k])
			candidates[question.count++] = (struct candidate){
				.node = &nodes[k],
				.running = seen[k]->running,
				.instance = seen[k]->instance,
				.target = seen[k]->target,
				.reach = seen[k]->reach,
				.place = k,
				/* b and c have their own zones */
				.load = (k == 1 || k == 2) +
					(row->owner && !strcmp(row->owner, nodes[k].name)),
			};
	}
	if (row->owner) {
		question.holder.there = true;
		question.holder.since = NOW - row->age;
		strcpy(question.holder.owner, row->owner);
	}
	takeover_decide(&question, &ruling);
	if (ruling.decision != row->decision ||
	    strcmp(ruling.target ? ruling.target->name : "", row->target ? row->target : ""))
		fail_msg("%s: decision %d, target %s: %s", row->what, ruling.decision,
			 ruling.target ? ruling.target->name : "none", ruling.why);
	assert_non_null(ruling.why);
	/* what a person asked for, or holds, is not tried again */
	if (ruling.again)
		assert_true(ruling.decision == DECIDE_NOTHING && !row->by_hand && !row->held);
	if (!strcmp(row->what, "nobody left") || looks < 3)
		assert_int_equal(ruling.again, row->decision == DECIDE_NOTHING);
}

static void zones_change_hands(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check(&rows[i], 3);
}

/* Who is called well may still answer. */
static const struct row at_first[] = {
	{ "well, and has not answered", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &well, &well, 0, 0,
	  DECIDE_NOTHING, 0 },
	{ "well, and says that it is cut off", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &cut_off, &well,
	  0, 0, DECIDE_CLAIM, "b" },
	{ "well, and reaches", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &reaches, &well, 0, 0,
	  DECIDE_COMPLETE, "a" },
	{ "ill, and has not answered", WISH_FAILOVER, 0, "a", 999, 0, 0, 0, &ill, &well, 0, 0,
	  DECIDE_CLAIM, "b" },
	{ "a person does not wait for answers", WISH_FAILOVER, 0, "a", 999, 1, 0, 0, &well, &well,
	  0, 0, DECIDE_CLAIM, "b" },
};

static void the_first_looks_are_patient(void **state)
{
	(void)state;
	for (unsigned int looks = 1; looks < 3; looks++) {
		for (size_t i = 0; i < COUNT_OF(at_first); i++)
			check(&at_first[i], looks);
	}
}

static void evidence_is_weighed(void **state)
{
	static const struct {
		struct evidence evidence;
		enum verdict verdict;
		double percent;
	} cases[] = {
		{ { W, W, N, 3, 3, 1, false }, VERDICT_REACHES, 100 },
		{ { I, I, N, 3, 2, 1, false },
		  VERDICT_REACHES,
		  66.7 }, /* what it reached, it reached */
		{ { I, I, W, 3, 3, 1, false }, VERDICT_REACHES, 100 },
		/* what a node sends itself goes around a program that translates nothing */
		{ { W, W, I, 3, 3, 1, false }, VERDICT_CUT_OFF, 0 },
		{ { W, W, N, 3, 1, 1, false }, VERDICT_CUT_OFF, 33.3 },
		{ { W, W, N, 2, 1, 1, false }, VERDICT_CUT_OFF, 50 }, /* a half is not most */
		{ { W, W, N, 0, 0, 0, false }, VERDICT_UNKNOWN, 0 },
		{ { I, N, N, 0, 0, 0, false }, VERDICT_CUT_OFF, 0 },
		{ { I, I, N, 0, 0, 0, false }, VERDICT_CUT_OFF, 0 },
		/* its kernel answers: nothing says that packets do not get through */
		{ { I, I, N, 0, 0, 0, true }, VERDICT_UNKNOWN, 0 },
		{ { I, N, N, 0, 0, 0, true }, VERDICT_UNKNOWN, 0 },
		{ { I, I, N, 3, 1, 1, true }, VERDICT_CUT_OFF, 33.3 },
		{ { I, I, I, 3, 3, 1, true }, VERDICT_CUT_OFF, 0 },
		{ { I, W, N, 0, 0, 0, false }, VERDICT_UNKNOWN, 0 },
		{ { N, I, N, 0, 0, 0, false }, VERDICT_UNKNOWN, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double percent;

		assert_int_equal(evidence_judge(&cases[i].evidence, &percent), cases[i].verdict);
		assert_true(percent > cases[i].percent - 0.1 && percent < cases[i].percent + 0.1);
	}
}

static void evidence_is_read(void **state)
{
	struct evidence evidence = { W, W, I, 9, 9, 9, false };

	(void)state;
	evidence_read(&evidence, "a:1 0.010 000\nb:2 0.000000 000\nc:3 0.030 000\n", 3);
	assert_int_equal(evidence.asked, 3);
	assert_int_equal(evidence.reached, 2);
	assert_true(evidence.latency_ms > 29.9 && evidence.latency_ms < 30.1);
	evidence_read(&evidence, "curl: (6) no such host\na:1 0.010 000", 3);
	assert_int_equal(evidence.asked, 3); /* what is missing was not reached */
	assert_int_equal(evidence.reached, 1);
	evidence_read(&evidence, "", 3);
	assert_int_equal(evidence.asked, 0); /* nothing was said at all */
	assert_int_equal(evidence.path, N);
	evidence_read(&evidence, "natxdp 0\na:1 0.010\nnatxdp\n", 1);
	assert_true(evidence.path == W && evidence.asked == 1 && evidence.reached == 1);
	evidence_read(&evidence, "natxdp 9\n", 1);
	assert_int_equal(evidence.path, W);
	evidence_read(&evidence, "a:1 0.010\nnatxdp 10\n", 1);
	assert_int_equal(evidence.path, I);
	evidence_read(&evidence, "natxdp 127\n", 1); /* there is no such command */
	assert_int_equal(evidence.path, N);
	evidence_read(&evidence, "\n\n \n%s %d\n", 3);
	assert_int_equal(evidence.asked, 0);
}

static void launches_are_judged(void **state)
{
	(void)state;
	assert_int_equal(lifecycle_launch(LAUNCH_PROVEN, true), LAUNCH_CONTINUE);
	assert_int_equal(lifecycle_launch(LAUNCH_PROVEN, false), LAUNCH_CONTINUE);
	assert_int_equal(lifecycle_launch(LAUNCH_BROKEN, true), LAUNCH_WAIT);
	assert_int_equal(lifecycle_launch(LAUNCH_BROKEN, false), LAUNCH_ABANDON);
	assert_int_equal(lifecycle_launch(LAUNCH_SILENT, true), LAUNCH_WAIT);
	assert_int_equal(lifecycle_launch(LAUNCH_SILENT, false), LAUNCH_LATER);
}

static void probes_are_read(void **state)
{
	struct traffic traffic;

	(void)state;
	traffic_read(&traffic, "web",
		     "https://a 200 0.01 0.1\nhttps://b 503 0.01 9\nhttps://c 301 0 0.3\nx\n");
	assert_int_equal(traffic.tried, 3);
	assert_int_equal(traffic.done, 2);
	assert_true(traffic.latency_ms > 199 && traffic.latency_ms < 201);
	traffic_read(
		&traffic, "throughput",
		"{\"end\":{\"sum_received\":{\"bits_per_second\":2e9}}}\n{\"error\":\"no\"}\n{\"end\":{\"su");
	assert_int_equal(traffic.tried, 3);
	assert_int_equal(traffic.done, 1);
	assert_true(traffic.bits_per_second > 1.9e9);
	traffic_read(&traffic, "throughput", "iperf3: command not found\n");
	assert_int_equal(traffic.tried, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zones_change_hands),
		cmocka_unit_test(the_first_looks_are_patient),
		cmocka_unit_test(evidence_is_weighed),
		cmocka_unit_test(evidence_is_read),
		cmocka_unit_test(launches_are_judged),
		cmocka_unit_test(probes_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
