/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "commands.h"
#include "json.h"
#include "options.h"
#include "plan.h"

struct arguments {
	struct options options;
	const char *iface;
};

/* What a check needs at a time; too much for the stack. */
struct work {
	struct settings settings;
	struct plan plan;
	struct facts facts;
	struct findings findings;
};

static const char doc[] =
	"Look whether a NAT can be loaded on IFACE (as 'natxdp load' takes it), and change nothing. "
	"Each precondition is ok, or: load (load sees to it), warn (it works, but), fix (load "
	"refuses; load --fix sees to it), fail. The exit status is that of the first which fails.\v"
	"Examples:\n"
	"  natxdp check eth0\n"
	"  natxdp check eth0 --inside eth1 --json";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		state->child_inputs[1] = &arguments->options;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->iface)
			argp_error(state, "%s: one interface only: give others with --inside", arg);
		arguments->iface = arg;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->iface)
			argp_error(state,
				   "which interface? 'ip link' lists them; auto is the one that "
				   "leads to the internet");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_text(const struct findings *findings)
{
	for (unsigned int i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->item[i];

		printf("%-4s  %-36s %s", level_name(f->level), f->name, f->found);
		if (f->level != LEVEL_OK)
			printf("; needed: %s", f->needed);
		putchar('\n');
		if (f->level != LEVEL_OK && *f->mend)
			printf("      %-36s > %s\n", "", f->mend);
	}
}

static int print_json(const struct findings *findings)
{
	cJSON *object = cJSON_CreateObject(), *list, *entry;

	cJSON_AddBoolToObject(object, "ready", !findings_status(findings));
	cJSON_AddNumberToObject(object, "status", findings_status(findings));
	list = cJSON_AddArrayToObject(object, "checks");
	for (unsigned int i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->item[i];

		entry = cJSON_CreateObject();
		cJSON_AddStringToObject(entry, "name", f->name);
		cJSON_AddStringToObject(entry, "level", level_name(f->level));
		cJSON_AddStringToObject(entry, "found", f->found);
		cJSON_AddStringToObject(entry, "needed", f->needed);
		cJSON_AddStringToObject(entry, "mend", f->mend);
		cJSON_AddItemToArray(list, entry);
	}
	return json_print(object);
}

static int conclude(const struct findings *findings, struct err *err)
{
	enum exit_status status = findings_status(findings);

	for (unsigned int i = 0; status && i < findings->count; i++) {
		if (findings->item[i].level >= LEVEL_FIX)
			return err_set(err, status, EPROTO, "%s: %s; needed: %s",
				       findings->item[i].name, findings->item[i].found,
				       findings->item[i].needed);
	}
	return 0;
}

static int check(struct work *work, const struct arguments *arguments, struct err *err)
{
	char iface[IFNAMSIZ];
	int ret;

	ret = options_make_settings(&arguments->options, &work->settings, err);
	if (!ret)
		ret = plan_iface(iface, arguments->iface, err);
	if (!ret)
		ret = plan_make(&work->plan, &work->settings, iface, err);
	if (!ret)
		ret = facts_gather(&work->facts, &work->plan, err);
	if (ret)
		return ret;
	facts_judge(&work->facts, &work->settings, &work->findings);
	if (arguments->options.json)
		print_json(&work->findings);
	else
		print_text(&work->findings);
	return conclude(&work->findings, err);
}

int cmd_check(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = {
		{ options_settings(), 0, NULL, 0 },
		{ &options_common, 0, NULL, 0 },
		{ 0 },
	};
	const struct argp argp = { NULL, parse, "IFACE", doc, children, NULL, NULL };
	struct arguments arguments = { 0 };
	struct work *work;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	work = calloc(1, sizeof(*work));
	if (!work)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	ret = check(work, &arguments, err);
	free(work);
	return ret;
}
