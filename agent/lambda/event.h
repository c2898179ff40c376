/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Events as they come: from EventBridge (schedules, alarms, lifecycle hooks,
 * findings), from SNS, or from a person who invokes a function by hand. Readers
 * say which member is missing or wrong; nothing is guessed.
 */
#ifndef NATXDP_LAMBDA_EVENT_H
#define NATXDP_LAMBDA_EVENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct err;

/* The member at a path such as "detail.state.value"; NULL if there is none. */
const cJSON *event_member(const cJSON *event, const char *path);

/* A text that must be there and not be empty; NULL with @err written. */
const char *event_text(const cJSON *event, const char *path, struct err *err);

/* "" if there is none; NULL with @err written if it is no text. */
const char *event_optional(const cJSON *event, const char *path, struct err *err);

/* Missing is @otherwise. Returns 0 or -errno with @err written. */
int event_bool(const cJSON *event, const char *path, bool otherwise, bool *value, struct err *err);

/* Is it one of EventBridge, and of this type ("Scheduled Event", ...)? */
bool event_is(const cJSON *event, const char *detail_type);

/* Nothing but a schedule, or an object without "detail-type" and "Records": by hand. */
bool event_is_by_hand(const cJSON *event);

enum alarm_state { ALARM_OK, ALARM_ON, ALARM_NO_DATA };

struct alarm {
	const char *name;
	enum alarm_state state;
};

/*
 * An alarm of CloudWatch, by EventBridge or in an SNS message. *@message is
 * owned by the caller, and @alarm points into it or into @event. Returns 0,
 * -ENOENT if it is no alarm at all, or -errno with @err written.
 */
int event_alarm(const cJSON *event, struct alarm *alarm, cJSON **message, struct err *err);

#endif
