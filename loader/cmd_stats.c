/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "counters.h"
#include "err.h"
#include "json.h"
#include "nat.h"
#include "options.h"
#include "privilege.h"

struct arguments {
	struct options options;
	bool all;
};

enum { KEY_ALL = 'a' };

static const struct argp_option own_options[] = {
	{ "all", KEY_ALL, NULL, 0, "also what has not happened yet", 1 },
	{ 0 },
};

static const char doc[] =
	"Show what became of the packets since the NAT was loaded: how many left by which way, and "
	"why. Bytes are those of the IP packets.\v"
	"Examples:\n"
	"  natxdp stats\n"
	"  watch -d natxdp stats\n"
	"  natxdp stats --json | jq .reasons.drop_no_port.packets";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case KEY_ALL:
		arguments->all = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void sum_verdict(const struct natxdp_counters *sum, enum verdict verdict, uint64_t *packets,
			uint64_t *bytes)
{
	*packets = *bytes = 0;
	for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
		if (reason_names[i].verdict != verdict)
			continue;
		*packets += sum->packets[i];
		*bytes += sum->bytes[i];
	}
}

static int print_json(const struct natxdp_counters *sum)
{
	cJSON *object = cJSON_CreateObject(), *part, *item;
	uint64_t packets, bytes;

	part = cJSON_AddObjectToObject(object, "verdicts");
	for (int i = 0; i < VERDICTS; i++) {
		sum_verdict(sum, i, &packets, &bytes);
		item = cJSON_AddObjectToObject(part, verdict_names[i]);
		json_add_count(item, "packets", packets);
		json_add_count(item, "bytes", bytes);
	}
	part = cJSON_AddObjectToObject(object, "reasons");
	for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
		item = cJSON_AddObjectToObject(part, reason_names[i].name);
		cJSON_AddStringToObject(item, "verdict", verdict_names[reason_names[i].verdict]);
		json_add_count(item, "packets", sum->packets[i]);
		json_add_count(item, "bytes", sum->bytes[i]);
		cJSON_AddStringToObject(item, "text", reason_names[i].text);
	}
	part = cJSON_AddObjectToObject(object, "events");
	for (int i = 0; i < NATXDP_EVENT_COUNT; i++)
		json_add_count(part, event_names[i].name, sum->events[i]);
	return json_print(object);
}

static void print_text(const struct natxdp_counters *sum, bool all)
{
	uint64_t packets, bytes;

	printf("%-18s %16s %18s\n", "", "packets", "bytes");
	for (int verdict = 0; verdict < VERDICTS; verdict++) {
		sum_verdict(sum, verdict, &packets, &bytes);
		if (!packets && !all)
			continue;
		printf("%-18s %16" PRIu64 " %18" PRIu64 "\n", verdict_names[verdict], packets,
		       bytes);
		for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
			if ((int)reason_names[i].verdict != verdict || (!sum->packets[i] && !all))
				continue;
			printf("  %-16s %16llu %18llu  %s\n", reason_names[i].name, sum->packets[i],
			       sum->bytes[i], reason_names[i].text);
		}
	}
	for (int i = 0; i < NATXDP_EVENT_COUNT; i++) {
		if (sum->events[i] || all)
			printf("%-18s %16llu %18s  %s\n", event_names[i].name, sum->events[i], "",
			       event_names[i].text);
	}
}

int cmd_stats(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { own_options, parse, NULL, doc, children, NULL, NULL };
	struct arguments arguments = { 0 };
	char pin_dir[PIN_DIR_MAX];
	struct natxdp_counters sum;
	struct nat nat;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	ret = options_find_pin_dir(&arguments.options, pin_dir, err);
	if (!ret)
		ret = privilege_check(err);
	if (!ret)
		ret = nat_open(&nat, pin_dir, err);
	if (ret)
		return ret;
	ret = counters_read(&nat, &sum);
	nat_close(&nat);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "map counters: cannot read: %s",
			       strerror(-ret));
	if (arguments.options.json)
		return print_json(&sum);
	print_text(&sum, arguments.all);
	return 0;
}
