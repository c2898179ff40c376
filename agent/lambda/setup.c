/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

static const char *text_of(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

/* An object of JSON; absent is empty. */
static int object_of(const char *name, cJSON **object, struct err *err)
{
	const char *text = text_of(name);

	*object = cJSON_Parse(*text ? text : "{}");
	if (cJSON_IsObject(*object))
		return 0;
	return err_set(err, STATUS_CONFIG, EINVAL, "%s is no JSON object: %.80s", name, text);
}

static int number_of(const char *name, unsigned int otherwise, unsigned int max,
		     unsigned int *number, struct err *err)
{
	const char *text = text_of(name);
	unsigned long value;
	char *end;

	*number = otherwise;
	if (!*text)
		return 0;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || *text == '-' || value > max)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "%s = %.40s: a number up to %u is wanted", name, text, max);
	*number = value;
	return 0;
}

/* @choices ends with NULL; the first is the default. Returns its index or -errno. */
static int choice_of(const char *name, const char *const *choices, struct err *err)
{
	const char *text = text_of(name);

	if (!*text)
		return 0;
	for (int i = 0; choices[i]; i++) {
		if (!strcmp(text, choices[i]))
			return i;
	}
	return err_set(err, STATUS_CONFIG, EINVAL, "%s = %.40s: not one of the values it may have",
		       name, text);
}

static int read_trees(struct setup *setup, struct err *err)
{
	const struct {
		const char *name;
		cJSON **object;
	} trees[] = {
		{ "NATXDP_ROUTE_TABLES", &setup->route_tables },
		{ "NATXDP_TARGET_GROUPS", &setup->target_groups },
		{ "NATXDP_DOCUMENTS", &setup->documents },
		{ "NATXDP_INTERFACES", &setup->interfaces },
		{ "NATXDP_SLOTS", &setup->slots },
	};

	for (unsigned int i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
		int ret = object_of(trees[i].name, trees[i].object, err);

		if (ret)
			return ret;
	}
	return 0;
}

static int read_numbers(struct setup *setup, struct err *err)
{
	int ret;

	ret = number_of("NATXDP_AGENT_PORT", 9469, 65535, &setup->agent_port, err);
	if (!ret)
		ret = number_of("NATXDP_PROBE_INTERVAL", 10, 3600, &setup->probe_interval_s, err);
	if (!ret)
		ret = number_of("NATXDP_WITNESS_MS", 3000, 60000, &setup->witness_ms, err);
	if (!ret)
		ret = number_of("NATXDP_HEARTBEAT", 60, 3600, &setup->heartbeat_s, err);
	if (!ret && !setup->heartbeat_s)
		ret = err_set(err, STATUS_CONFIG, EINVAL,
			      "NATXDP_HEARTBEAT = 0: at least a second is wanted");
	if (!ret)
		ret = number_of("NATXDP_JANITOR_AGE", 86400, 366 * 86400, &setup->janitor_age_s,
				err);
	return ret;
}

static int read_choices(struct setup *setup, struct err *err)
{
	static const char *const modes[] = { "eni", "eip", "gwlb", NULL };
	static const char *const switches[] = { "true", "false", NULL };
	static const char *const levels[] = { "info", "debug", "warn", "error", NULL };
	static const enum level as_level[] = { LEVEL_INFO, LEVEL_DEBUG, LEVEL_WARN, LEVEL_ERROR };
	int mode = choice_of("NATXDP_MODE", modes, err);
	int dry = mode < 0 ? mode : choice_of("NATXDP_DRY_RUN", switches, err);
	int level = dry < 0 ? dry : choice_of("NATXDP_LOG_LEVEL", levels, err);

	if (level < 0)
		return level;
	setup->mode = modes[mode];
	setup->dry_run = !dry;
	setup->level = as_level[level];
	return 0;
}

int setup_read(struct setup *setup, struct err *err)
{
	int ret;

	memset(setup, 0, sizeof(*setup));
	setup->nat = text_of("NATXDP_NAT");
	setup->lease_table = text_of("NATXDP_LEASE_TABLE");
	setup->listener = text_of("NATXDP_LISTENER");
	setup->routing_parameter = text_of("NATXDP_ROUTING_PARAMETER");
	setup->blocked_parameter = text_of("NATXDP_BLOCKED_PARAMETER");
	setup->probe_targets = text_of("NATXDP_PROBE_TARGETS");
	setup->results_bucket = text_of("NATXDP_RESULTS_BUCKET");
	if (!*setup->nat)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "NATXDP_NAT is not set: it has the name of the NAT, which its "
			       "instances bear in the tag natxdp:nat");
	ret = read_trees(setup, err);
	if (!ret)
		ret = read_numbers(setup, err);
	if (!ret)
		ret = read_choices(setup, err);
	if (ret)
		setup_free(setup);
	return ret;
}

void setup_free(struct setup *setup)
{
	cJSON_Delete(setup->route_tables);
	cJSON_Delete(setup->target_groups);
	cJSON_Delete(setup->documents);
	cJSON_Delete(setup->interfaces);
	cJSON_Delete(setup->slots);
	memset(setup, 0, sizeof(*setup));
}

const char *setup_document(const struct setup *setup, const char *use, struct err *err)
{
	const char *name = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(setup->documents, use));

	if (name && *name)
		return name;
	err_set(err, STATUS_CONFIG, ENOENT, "NATXDP_DOCUMENTS names no document for %s", use);
	return NULL;
}
