/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "weigh.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The number of the groups if it is not there. */
static unsigned int find(const struct weigh_groups *groups, const char *group)
{
	unsigned int i = 0;

	while (i < groups->count && strcmp(groups->item[i].target_group, group) != 0)
		i++;
	return i;
}

unsigned int weigh_of(const struct weigh_groups *groups, const char *group)
{
	unsigned int i = find(groups, group);

	return i < groups->count ? groups->item[i].weight : 0;
}

static bool serves(const struct weigh_zone *zones, unsigned int count, const char *name)
{
	for (unsigned int i = 0; i < count; i++) {
		if (zones[i].owner && !strcmp(zones[i].owner, name))
			return true;
	}
	return false;
}

/* Zones may share a group: one of them is enough to give it weight, and to keep it. */
static bool is_decided(const struct weigh_zone *zones, unsigned int count, const char *group,
		       unsigned int *weight)
{
	bool all_owned = true;

	*weight = WEIGH_ON;
	for (unsigned int i = 0; i < count; i++) {
		if (!zones[i].group || strcmp(zones[i].group, group) != 0)
			continue;
		if (serves(zones, count, zones[i].name))
			return true;
		all_owned &= zones[i].owner != NULL;
	}
	*weight = 0;
	return all_owned;
}

/* False: there is no room for one more. */
static bool set(struct weigh_groups *groups, const char *group, unsigned int weight)
{
	unsigned int i = find(groups, group);

	if (i == WEIGH_GROUPS_MAX)
		return false;
	if (i == groups->count)
		groups->item[groups->count++].target_group = group;
	groups->item[i].weight = weight;
	return true;
}

static bool is_all_off(const struct weigh_groups *groups)
{
	for (unsigned int i = 0; i < groups->count; i++) {
		if (groups->item[i].weight)
			return false;
	}
	return true;
}

static bool is_same(const struct weigh_groups *before, const struct weigh_groups *after,
		    const char *group)
{
	unsigned int i = find(before, group), j = find(after, group);
	bool was = i < before->count, is = j < after->count;

	return was == is && (!is || before->item[i].weight == after->item[j].weight);
}

int64_t weigh(const struct weigh_zone *zones, unsigned int count, struct weigh_groups *groups)
{
	const struct weigh_groups before = *groups;
	unsigned int weight;
	int64_t bits = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (zones[i].group && is_decided(zones, count, zones[i].group, &weight) &&
		    !set(groups, zones[i].group, weight))
			return -1;
	}
	for (unsigned int i = 0, off = is_all_off(groups); off && i < count; i++) {
		if (zones[i].group && !set(groups, zones[i].group, WEIGH_ON))
			return -1;
	}
	for (unsigned int i = 0; i < count; i++)
		bits |= (int64_t)(zones[i].group && !is_same(&before, groups, zones[i].group)) << i;
	return bits;
}
