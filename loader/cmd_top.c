/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "counters.h"
#include "err.h"
#include "json.h"
#include "nat.h"
#include "options.h"
#include "privilege.h"
#include "table.h"
#include "talkers.h"

enum { LIMIT = 10, INTERVAL_MS = 2000, INTERVAL_MAX_S = 3600 };

struct arguments {
	struct options options;
	unsigned int limit;
	unsigned int interval_ms;
	bool once;
};

enum top_option { KEY_INTERVAL = 'i', KEY_LIMIT = 'n', KEY_ONCE = '1' };

static const struct argp_option own_options[] = {
	{ "interval", KEY_INTERVAL, "SECONDS", 0, "measure for so long each time (default: 2)", 1 },
	{ "limit", KEY_LIMIT, "N", 0, "so many of each kind (default: 10, at most 100)", 1 },
	{ "once", KEY_ONCE, NULL, 0, "measure once, and end (default unless on a terminal)", 1 },
	{ 0 },
};

static const char doc[] =
	"Show who moves the most bytes now: by inside address, by destination, and by protocol and "
	"port of the destination. Bytes are those of the IP packets of both directions. A flow that "
	"opened and was forgotten between two looks is not seen.\v"
	"Examples:\n"
	"  natxdp top\n"
	"  natxdp top --once --interval 60 --limit 3\n"
	"  natxdp top --json | jq -r '.source[0].name'";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	double number = 0;
	char *end;

	if (key == KEY_INTERVAL || key == KEY_LIMIT) {
		number = strtod(arg, &end);
		if (*end || end == arg || !(number > 0))
			argp_error(state, "%s: not a number above 0", arg);
	}
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case KEY_INTERVAL:
		if (number < 0.1 || number > INTERVAL_MAX_S)
			argp_error(state, "--interval: %s: from 0.1 to %d", arg, INTERVAL_MAX_S);
		arguments->interval_ms = number * 1000;
		return 0;
	case KEY_LIMIT:
		arguments->limit = number < SKETCH_TOP_MAX ? number : SKETCH_TOP_MAX;
		return 0;
	case KEY_ONCE:
		arguments->once = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns how many flows there are. */
static uint64_t walk(struct talkers *talkers, struct table *table)
{
	struct flow_view view;
	uint64_t flows = 0;

	talkers_walk(talkers, table_ticks_now());
	table_rewind(table);
	while (table_next(table, &view)) {
		talkers_flow(talkers, &view);
		flows++;
	}
	return flows;
}

struct look {
	int64_t ms; /* that it took, and bytes are of */
	uint64_t flows;
};

static void print_json(const struct talkers *talkers, const struct look *look, unsigned int limit)
{
	struct sketch_item top[SKETCH_TOP_MAX];
	cJSON *object = cJSON_CreateObject(), *list, *item;
	char name[TALKER_NAME_MAX];
	unsigned int count;

	json_add_count(object, "interval_ms", look->ms);
	json_add_count(object, "flows", look->flows);
	json_add_count(object, "bytes", talkers_total(talkers));
	for (int kind = 0; kind < TALKER_KINDS; kind++) {
		list = cJSON_AddArrayToObject(object, talker_kind_names[kind]);
		count = talkers_top(talkers, kind, top, limit);
		for (unsigned int i = 0; i < count; i++) {
			item = cJSON_CreateObject();
			talkers_name(kind, top[i].key, name);
			cJSON_AddStringToObject(item, "name", name);
			json_add_count(item, "bytes", top[i].weight);
			json_add_count(item, "bytes_per_second", top[i].weight * 1000 / look->ms);
			json_add_count(item, "error", top[i].error);
			cJSON_AddItemToArray(list, item);
		}
	}
	json_print(object);
}

static void print_rate(double bits)
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };
	int unit = 0;

	for (; bits >= 1000 && unit < 4; unit++)
		bits /= 1000;
	printf("%8.*f %-6s", unit ? 1 : 0, bits, units[unit]);
}

static void print_text(const struct talkers *talkers, const struct look *look, unsigned int limit)
{
	static const char *const titles[TALKER_KINDS] = { "inside address", "destination",
							  "protocol/port" };
	struct sketch_item top[SKETCH_TOP_MAX];
	uint64_t total = talkers_total(talkers);
	char name[TALKER_NAME_MAX];
	unsigned int count;

	printf("%" PRIu64 " flows, ", look->flows);
	print_rate(8000.0 * total / look->ms);
	printf("in %.1f s\n", look->ms / 1000.0);
	for (int kind = 0; kind < TALKER_KINDS; kind++) {
		printf("\n%-20s %15s %7s\n", titles[kind], "rate", "share");
		count = talkers_top(talkers, kind, top, limit);
		for (unsigned int i = 0; i < count; i++) {
			talkers_name(kind, top[i].key, name);
			printf("%-20s ", name);
			print_rate(8000.0 * top[i].weight / look->ms);
			printf(" %5.1f %%\n", total ? 100.0 * top[i].weight / total : 0);
		}
	}
	fflush(stdout);
}

static int show(const struct arguments *arguments, struct table *table, struct talkers *talkers)
{
	bool live = !arguments->once && !arguments->options.json && isatty(STDOUT_FILENO);
	int64_t began = now_ms(), ended;
	struct look look;

	walk(talkers, table);
	do {
		talkers_clear(talkers); /* what was before this interval */
		usleep(arguments->interval_ms * 1000);
		look.flows = walk(talkers, table);
		ended = now_ms();
		look.ms = ended - began;
		began = ended;
		if (live)
			fputs("\033[H\033[2J", stdout);
		if (arguments->options.json)
			print_json(talkers, &look, arguments->limit);
		else
			print_text(talkers, &look, arguments->limit);
	} while (live && !ferror(stdout));
	return 0;
}

int cmd_top(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { own_options, parse, NULL, doc, children, NULL, NULL };
	struct arguments arguments = { .limit = LIMIT, .interval_ms = INTERVAL_MS };
	char pin_dir[PIN_DIR_MAX];
	struct talkers *talkers;
	struct table table;
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
	ret = table_open(&table, &nat, TABLE_READ);
	nat_close(&nat); /* what is mmapped stays */
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "map flow_table: cannot mmap: %s",
			       strerror(-ret));
	talkers = talkers_new(table.count);
	ret = talkers ? show(&arguments, &table, talkers) :
			err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	talkers_free(talkers);
	table_close(&table);
	return ret;
}
