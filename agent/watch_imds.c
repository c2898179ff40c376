/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "watch_imds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "aws/imds.h"
#include "cloud.h"
#include "json.h"
#include "log.h"

enum { HOOKS_MAX = 4, IDENTITY_EVERY = 720 /* looks: an hour */ };

struct question {
	struct watch *watch;
	enum notice_kind kind;
	int64_t number; /* positive while it is asked */
};

struct watch {
	struct agent *agent;
	int timer;
	unsigned int looks;
	struct question question[NOTICES];
	struct notice notice[NOTICES];
	uint64_t answers, failures;
	struct {
		watch_hook hook;
		void *ctx;
	} hooks[HOOKS_MAX];
	unsigned int hook_count;
};

int watch_add_hook(struct watch *watch, watch_hook hook, void *ctx)
{
	if (watch->hook_count == HOOKS_MAX)
		return -ENOSPC;
	watch->hooks[watch->hook_count].hook = hook;
	watch->hooks[watch->hook_count++].ctx = ctx;
	return 0;
}

bool watch_is_leaving(const struct watch *watch, enum notice_kind kind)
{
	for (int i = 0; i < NOTICES; i++) {
		if ((kind == NOTICES || kind == (enum notice_kind)i) && watch->notice[i].leaving)
			return true;
	}
	return false;
}

const char *watch_text(const struct watch *watch, enum notice_kind kind)
{
	return watch->notice[kind].there ? watch->notice[kind].text : "";
}

static void changed(struct watch *watch, enum notice_kind kind)
{
	const struct notice *notice = &watch->notice[kind];
	struct agent *agent = watch->agent;

	log_note("instance: %s: %s", notice_info[kind].name,
		 notice->there ? notice->text : "no more");
	if (kind == NOTICE_ZONE && notice->there && !*agent->conf.zone)
		snprintf(agent->zone, sizeof(agent->zone), "%s", notice->text);
	agent_look_at_notices(agent);
	for (unsigned int i = 0; i < watch->hook_count; i++)
		watch->hooks[i].hook(watch->hooks[i].ctx, kind, notice);
}

static void answered(void *ctx, const struct aws_document *document)
{
	struct question *question = ctx;
	struct watch *watch = question->watch;
	struct notice notice;

	question->number = 0;
	if (document->fault != AWS_OK) { /* what was known stays */
		watch->failures++;
		return;
	}
	watch->answers++;
	notice_parse(question->kind, document->text, document->length, &notice);
	if (notice.there == watch->notice[question->kind].there &&
	    !strcmp(notice.text, watch->notice[question->kind].text))
		return;
	watch->notice[question->kind] = notice;
	changed(watch, question->kind);
}

static bool is_due(const struct watch *watch, enum notice_kind kind)
{
	if (kind != NOTICE_ZONE && kind != NOTICE_INSTANCE)
		return true;
	return !watch->notice[kind].there || watch->looks % IDENTITY_EVERY == 0;
}

static void look(void *ctx)
{
	struct watch *watch = ctx;
	struct aws_imds *imds = aws_client_imds(cloud_client(watch->agent->cloud));

	for (int kind = 0; kind < NOTICES; kind++) {
		struct question *question = &watch->question[kind];

		if (question->number > 0 || !is_due(watch, kind))
			continue;
		question->number = aws_imds_get(imds, notice_info[kind].path, 0, answered,
						question);
	}
	watch->looks++;
}

struct watch *watch_start(struct agent *agent)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->agent = agent;
	for (int i = 0; i < NOTICES; i++)
		watch->question[i] = (struct question){ watch, i, 0 };
	watch->timer = loop_timer(agent->loop, look, watch);
	if (watch->timer < 0) {
		free(watch);
		return NULL;
	}
	loop_timer_every(watch->timer, agent->conf.imds_interval);
	look(watch);
	return watch;
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	for (int i = 0; i < NOTICES; i++) {
		if (watch->question[i].number > 0)
			aws_imds_cancel(aws_client_imds(cloud_client(watch->agent->cloud)),
					watch->question[i].number);
	}
	loop_timer_free(watch->agent->loop, watch->timer);
	free(watch);
}

void watch_status(const struct watch *watch, struct cJSON *object)
{
	for (int i = 0; i < NOTICES; i++) {
		if (watch->notice[i].there)
			cJSON_AddStringToObject(object, notice_info[i].name, watch->notice[i].text);
	}
	json_add_count(object, "answers", watch->answers);
	json_add_count(object, "failures", watch->failures);
}
