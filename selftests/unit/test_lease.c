/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The rules that agents and functions share: item and claim of a lease, the heir, the weights. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "ha/heir.h"
#include "ha/lease_item.h"
#include "ha/weigh.h"

static void an_item_is_read(void **state)
{
	const struct aws_attribute written[] = {
		{ "az", AWS_STRING, "eu-west-1a" },
		{ "owner", AWS_STRING, "nat-b" },
		{ "epoch", AWS_NUMBER, "18446744073709551615" },
		{ "since", AWS_STRING, "2026-11-28T12:00:01Z" },
		{ "reason", AWS_STRING, "failover" },
		{ "witness", AWS_NUMBER, "3" },
		{ "hold", AWS_STRING, "nat-a" },
	};
	const struct aws_item item = { 7, written };
	struct lease_item lease;

	(void)state;
	lease_item_read(&item, &lease);
	assert_true(lease.there && lease.held);
	assert_string_equal(lease.owner, "nat-b");
	assert_string_equal(lease.reason, "failover");
	assert_true(lease.epoch == UINT64_MAX && lease.witness == 3);
	assert_true(lease.since == 1795867201);
}

static void an_item_that_lacks_something(void **state)
{
	static const struct {
		const char *name, *value;
		bool there, held;
	} cases[] = {
		{ "owner", "nat-b", true, false },
		{ "owner", "", true, false },
		{ "hold", "", false, false },
		{ "hold", "nat-a", false, true }, /* whoever takes it first is not asked */
		{ "since", "yesterday", false, false },
		{ "since", "2026-11-28T12:00:01Z and more", false, false },
		{ "since", "", false, false },
		{ "held", "true", false, false },
	};
	struct lease_item lease;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct aws_attribute written = { cases[i].name, AWS_STRING, cases[i].value };
		const struct aws_item item = { 1, &written };

		lease_item_read(&item, &lease);
		assert_int_equal(lease.there, cases[i].there);
		assert_int_equal(lease.held, cases[i].held);
		assert_true(!lease.since && !lease.epoch);
	}
	lease_item_read(NULL, &lease);
	assert_false(lease.there);
	assert_string_equal(lease.owner, "");
}

static const char *value_of(const struct lease_claim *claim, const char *name)
{
	for (unsigned int i = 0; i < claim->expression.value_count; i++) {
		if (!strcmp(claim->values[i].name, name))
			return claim->values[i].value;
	}
	return NULL;
}

/* Does the expression use all of its names, as DynamoDB wants, and no other? */
static void check_names(const struct aws_expression *expression)
{
	unsigned int used = 0;
	char text[512];

	snprintf(text, sizeof(text), "%s %s", expression->update, expression->condition);
	for (unsigned int i = 0; i < expression->name_count; i++)
		assert_non_null(strstr(text, expression->names[i].alias));
	for (unsigned int i = 0; i < expression->value_count; i++)
		assert_non_null(strstr(text, expression->values[i].name));
	for (const char *at = text; (at = strchr(at, ':')); at++)
		used++;
	assert_int_equal(used, expression->value_count);
}

static void a_claim_is_written(void **state)
{
	static const struct {
		struct lease_item expected;
		bool unless_held;
		const char *condition, *after;
	} cases[] = {
		{ { .owner = "" }, false, "attribute_not_exists(#o)", "1" },
		{ { .owner = "" }, true, "attribute_not_exists(#o)", "1" },
		/* deleted, but its number is known: it never goes back */
		{ { .owner = "", .epoch = 7 }, false, "attribute_not_exists(#o)", "8" },
		{ { .there = true, .owner = "a", .epoch = 7 }, false, "#e = :b AND #o = :n", "8" },
		{ { .there = true, .owner = "", .epoch = 7 }, false, "#e = :b", "8" },
		{ { .there = true, .owner = "a", .epoch = 7 },
		  true,
		  "#e = :b AND #o = :n AND (attribute_not_exists(#h) OR #h = :free)",
		  "8" },
		{ { .there = true, .owner = "", .epoch = 7 },
		  true,
		  "#e = :b AND (attribute_not_exists(#h) OR #h = :free)",
		  "8" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct lease_claim claim;

		lease_claim_write(&claim, &cases[i].expected, "b", "failover", 1795867201,
				  cases[i].unless_held);
		assert_string_equal(claim.expression.condition, cases[i].condition);
		assert_string_equal(value_of(&claim, ":o"), "b");
		assert_string_equal(value_of(&claim, ":e"), cases[i].after);
		assert_string_equal(value_of(&claim, ":s"), "2026-11-28T12:00:01Z");
		assert_string_equal(value_of(&claim, ":r"), "failover");
		assert_string_equal(value_of(&claim, ":z"), "0");
		check_names(&claim.expression);
	}
}

static void heirs_are_ordered(void **state)
{
	/* of four nodes, home and what each has: who comes first, second, ... */
	static const struct {
		unsigned int home, load[4], order[4];
	} cases[] = {
		{ 0, { 0, 1, 1, 1 }, { 0, 1, 2, 3 } },
		{ 2, { 1, 1, 9, 1 }, { 2, 3, 0, 1 } }, /* home first, then round the ring */
		{ 0, { 0, 2, 1, 1 }, { 0, 2, 3, 1 } }, /* who has fewer */
		{ 0, { 0, 1, 1, 0 }, { 0, 3, 1, 2 } }, /* who stands by has none */
		{ 9, { 1, 1, 1, 1 }, { 0, 1, 2, 3 } }, /* home is no node */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (int k = 1; k < 4; k++) {
			unsigned int better = cases[i].order[k - 1], worse = cases[i].order[k];

			assert_true(heir_cost(cases[i].home, cases[i].load[better], better, 4) <
				    heir_cost(cases[i].home, cases[i].load[worse], worse, 4));
		}
	}
}

static void a_hold_is_written(void **state)
{
	struct lease_hold hold;

	(void)state;
	lease_hold_write(&hold, "nat-b");
	assert_string_equal(hold.expression.update, "SET #h = :h");
	assert_string_equal(hold.expression.condition, "attribute_exists(#o)");
	assert_int_equal(hold.expression.value_count, 1);
	assert_string_equal(hold.expression.values[0].value, "nat-b");
	assert_string_equal(hold.expression.names[1].name, "hold");
	/* DynamoDB refuses values that are not used */
	lease_hold_write(&hold, NULL);
	assert_string_equal(hold.expression.update, "REMOVE #h");
	assert_int_equal(hold.expression.value_count, 0);
}

struct weighed {
	const char *what;
	const char *owners; /* of zones a, b, c, as the zone of their node; - nobody */
	int before[4]; /* of the groups of a, b, c, and of one that is none of theirs; -1: not there */
	int after[4];
	int changed;
};

static const struct weighed weighed[] = {
	{ "all at home", "abc", { 100, 100, 100, -1 }, { 100, 100, 100, -1 }, 0 },
	{ "a is served by b", "bbc", { 100, 100, 100, -1 }, { 0, 100, 100, -1 }, 1 },
	{ "home again", "abc", { 0, 100, 100, -1 }, { 100, 100, 100, -1 }, 1 },
	{ "a and b swapped", "bac", { 100, 100, 100, -1 }, { 100, 100, 100, -1 }, 0 },
	{ "and both had nothing", "bac", { 0, 0, 100, -1 }, { 100, 100, 100, -1 }, 3 },
	{ "round the ring", "bca", { 0, 0, 0, -1 }, { 100, 100, 100, -1 }, 7 },
	{ "one serves all", "ccc", { 100, 100, 0, -1 }, { 0, 0, 100, -1 }, 7 },
	{ "nobody has any", "---", { 33, 0, 100, -1 }, { 33, 0, 100, -1 }, 0 },
	{ "nobody has b", "a-c", { 0, 7, 0, -1 }, { 100, 7, 100, -1 }, 5 },
	{ "nobody has a, whose node serves b", "-ac", { 0, 100, 100, -1 }, { 100, 0, 100, -1 }, 3 },
	{ "a group is not there", "abc", { -1, 100, 100, -1 }, { 100, 100, 100, -1 }, 1 },
	{ "nor is it wanted", "-bc", { -1, 100, 100, -1 }, { -1, 100, 100, -1 }, 0 },
	{ "another's group stays", "bbc", { 100, 100, 100, 7 }, { 0, 100, 100, 7 }, 1 },
	/* a node of a zone that has no group, and no other weight: better all than none */
	{ "nobody is left", "ddd", { 100, 0, 0, -1 }, { 100, 100, 100, -1 }, 6 },
	{ "nobody had anything", "---", { 0, 0, 0, -1 }, { 100, 100, 100, -1 }, 7 },
	{ "but another's group", "ddd", { 100, 100, 0, 7 }, { 0, 0, 0, 7 }, 3 },
};

static void weights_follow_those_who_serve(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "other" };

	(void)state;
	for (unsigned int i = 0; i < sizeof(weighed) / sizeof(*weighed); i++) {
		const struct weighed *row = &weighed[i];
		struct weigh_groups groups = { 0 };
		struct weigh_zone zones[3];

		for (int j = 0; j < 3; j++)
			zones[j] = (struct weigh_zone){ names[j], names[j],
							row->owners[j] == '-' ?
								NULL :
								names[row->owners[j] - 'a'] };
		for (int j = 0; j < 4; j++) {
			if (row->before[j] >= 0)
				groups.item[groups.count++] = (struct aws_weight){
					j < 3 ? names[j] : "other", row->before[j]
				};
		}
		print_message("%s\n", row->what);
		assert_int_equal(weigh(zones, 3, &groups), row->changed);
		for (int j = 0; j < 4; j++)
			assert_int_equal(weigh_of(&groups, j < 3 ? names[j] : "other"),
					 row->after[j] < 0 ? 0 : row->after[j]);
		/* once more changes nothing: no two who look after each other go on for ever */
		assert_int_equal(weigh(zones, 3, &groups), 0);
	}
}

static void zones_may_share_a_group(void **state)
{
	const struct weigh_zone zones[] = { { "a", "g", "b" },
					    { "b", "g", "b" },
					    { "c", "h", "b" } };
	struct weigh_groups groups = { 2, { { "h", 100 }, { "g", 0 } } };

	(void)state;
	assert_int_equal(weigh(zones, 3, &groups), 7);
	assert_int_equal(weigh_of(&groups, "g"), 100);
	assert_int_equal(weigh_of(&groups, "h"), 0);
}

static void too_many_groups_are_refused(void **state)
{
	const struct weigh_zone zone = { "a", "a", "a" };
	struct weigh_groups groups = { .count = WEIGH_GROUPS_MAX };

	(void)state;
	for (unsigned int i = 0; i < groups.count; i++)
		groups.item[i] = (struct aws_weight){ "other", 1 };
	assert_int_equal(weigh(&zone, 1, &groups), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_follow_those_who_serve),
		cmocka_unit_test(zones_may_share_a_group),
		cmocka_unit_test(too_many_groups_are_refused),
		cmocka_unit_test(an_item_is_read),
		cmocka_unit_test(an_item_that_lacks_something),
		cmocka_unit_test(a_claim_is_written),
		cmocka_unit_test(a_hold_is_written),
		cmocka_unit_test(heirs_are_ordered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
