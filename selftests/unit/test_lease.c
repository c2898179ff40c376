/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The rules of the leases that agents and functions share: the item, the claim, the heir. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "ha/heir.h"
#include "ha/lease_item.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_item_is_read),
		cmocka_unit_test(an_item_that_lacks_something),
		cmocka_unit_test(a_claim_is_written),
		cmocka_unit_test(heirs_are_ordered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
