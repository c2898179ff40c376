/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "notice.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

const struct notice_info notice_info[NOTICES] = {
	[NOTICE_ZONE] = { "zone", "/latest/meta-data/placement/availability-zone" },
	[NOTICE_INSTANCE] = { "instance", "/latest/meta-data/instance-id" },
	[NOTICE_SPOT] = { "spot", "/latest/meta-data/spot/instance-action" },
	[NOTICE_REBALANCE] = { "rebalance", "/latest/meta-data/events/recommendations/rebalance" },
	[NOTICE_LIFECYCLE] = { "lifecycle",
			       "/latest/meta-data/autoscaling/target-lifecycle-state" },
	[NOTICE_SCHEDULED] = { "scheduled", "/latest/meta-data/events/maintenance/scheduled" },
};

/* A word as names of zones, instances and states are. */
static void parse_word(const char *text, size_t length, struct notice *notice)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-:._";

	while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	if (!length || length >= NOTICE_TEXT_MAX)
		return;
	for (size_t i = 0; i < length; i++) {
		if (!text[i] || !strchr(allowed, text[i]))
			return;
	}
	memcpy(notice->text, text, length);
	notice->text[length] = '\0';
	notice->there = true;
}

static const char *member(const cJSON *object, const char *name)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return value ? value : "";
}

static void parse_spot(const cJSON *json, struct notice *notice)
{
	const char *action = member(json, "action");

	if (!*action)
		return;
	notice->there = true;
	notice->leaving = !!strcmp(action, "hibernate");
	snprintf(notice->text, NOTICE_TEXT_MAX, "%.24s at %.40s", action, member(json, "time"));
}

static void parse_rebalance(const cJSON *json, struct notice *notice)
{
	const char *time = member(json, "noticeTime");

	if (!*time)
		return;
	notice->there = true;
	notice->leaving = true;
	snprintf(notice->text, NOTICE_TEXT_MAX, "noticed at %.40s", time);
}

/* The first that is still to come; the instance stays until its time is near. */
static void parse_scheduled(const cJSON *json, struct notice *notice)
{
	const cJSON *event;

	cJSON_ArrayForEach(event, json) {
		if (strcmp(member(event, "State"), "active"))
			continue;
		notice->there = true;
		snprintf(notice->text, NOTICE_TEXT_MAX, "%.40s not before %.40s",
			 member(event, "Code"), member(event, "NotBefore"));
		return;
	}
}

/* What is shown to people and written to logs has no control characters. */
static void clean(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

void notice_parse(enum notice_kind kind, const char *text, size_t length, struct notice *notice)
{
	cJSON *json = NULL;

	memset(notice, 0, sizeof(*notice));
	if (!text)
		return;
	switch (kind) {
	case NOTICE_ZONE:
	case NOTICE_INSTANCE:
		parse_word(text, length, notice);
		break;
	case NOTICE_LIFECYCLE:
		parse_word(text, length, notice);
		notice->leaving = !strncmp(notice->text, "Terminated", 10);
		break;
	case NOTICE_SPOT:
		json = cJSON_ParseWithLength(text, length);
		parse_spot(json, notice);
		break;
	case NOTICE_REBALANCE:
		json = cJSON_ParseWithLength(text, length);
		parse_rebalance(json, notice);
		break;
	case NOTICE_SCHEDULED:
		json = cJSON_ParseWithLength(text, length);
		parse_scheduled(json, notice);
		break;
	case NOTICES:
		break;
	}
	cJSON_Delete(json);
	clean(notice->text);
}
