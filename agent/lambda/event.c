/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

enum { NAME_MAX_LENGTH = 64 };

const cJSON *event_member(const cJSON *event, const char *path)
{
	char name[NAME_MAX_LENGTH];

	while (event && *path) {
		size_t length = strcspn(path, ".");

		if (length >= sizeof(name))
			return NULL;
		memcpy(name, path, length);
		name[length] = '\0';
		event = cJSON_GetObjectItemCaseSensitive(event, name);
		path += length + (path[length] == '.');
	}
	return cJSON_IsNull(event) ? NULL : event;
}

const char *event_text(const cJSON *event, const char *path, struct err *err)
{
	const char *text = cJSON_GetStringValue(event_member(event, path));

	if (text && *text)
		return text;
	err_set(err, STATUS_USAGE, EINVAL, "the event has no text in %s", path);
	return NULL;
}

const char *event_optional(const cJSON *event, const char *path, struct err *err)
{
	const cJSON *member = event_member(event, path);

	if (!member)
		return "";
	if (cJSON_IsString(member))
		return member->valuestring;
	err_set(err, STATUS_USAGE, EINVAL, "%s of the event is no text", path);
	return NULL;
}

int event_bool(const cJSON *event, const char *path, bool otherwise, bool *value, struct err *err)
{
	const cJSON *member = event_member(event, path);

	*value = member ? cJSON_IsTrue(member) : otherwise;
	if (member && !cJSON_IsBool(member))
		return err_set(err, STATUS_USAGE, EINVAL, "%s of the event is not true or false",
			       path);
	return 0;
}

bool event_is(const cJSON *event, const char *detail_type)
{
	const char *type = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(event, "detail-type"));

	return type && !strcmp(type, detail_type);
}

bool event_is_by_hand(const cJSON *event)
{
	return !cJSON_GetObjectItemCaseSensitive(event, "detail-type") &&
	       !cJSON_GetObjectItemCaseSensitive(event, "Records");
}

static int read_state(const char *text, enum alarm_state *state, struct err *err)
{
	if (!strcmp(text, "ALARM"))
		*state = ALARM_ON;
	else if (!strcmp(text, "OK"))
		*state = ALARM_OK;
	else if (!strcmp(text, "INSUFFICIENT_DATA"))
		*state = ALARM_NO_DATA;
	else
		return err_set(err, STATUS_USAGE, EINVAL, "%.40s is no state of an alarm", text);
	return 0;
}

static int read_alarm(const cJSON *from, const char *name, const char *state, struct alarm *alarm,
		      struct err *err)
{
	const char *text;

	alarm->name = event_text(from, name, err);
	text = alarm->name ? event_text(from, state, err) : NULL;
	return text ? read_state(text, &alarm->state, err) : -EINVAL;
}

int event_alarm(const cJSON *event, struct alarm *alarm, cJSON **message, struct err *err)
{
	const cJSON *records = cJSON_GetObjectItemCaseSensitive(event, "Records");
	const char *text;

	*message = NULL;
	if (event_is(event, "CloudWatch Alarm State Change"))
		return read_alarm(event, "detail.alarmName", "detail.state.value", alarm, err);
	if (!records)
		return -ENOENT;
	/* SNS never puts two messages into one event */
	text = event_text(cJSON_GetArrayItem(records, 0), "Sns.Message", err);
	if (!text)
		return -EINVAL;
	*message = cJSON_Parse(text);
	if (!*message)
		return err_set(err, STATUS_USAGE, EINVAL, "the SNS message is no JSON: %.80s",
			       text);
	return read_alarm(*message, "AlarmName", "NewStateValue", alarm, err);
}
