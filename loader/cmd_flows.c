/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "err.h"
#include "flowlist.h"
#include "flowprint.h"
#include "nat.h"
#include "options.h"
#include "privilege.h"
#include "tunnels.h"

struct arguments {
	struct options options;
	struct flow_filter filter;
	enum flow_sort sort;
	uint64_t limit;
	bool mappings;
};

enum flow_option {
	KEY_INSIDE = 0x200,
	KEY_DESTINATION,
	KEY_PROTO,
	KEY_STATE,
	KEY_SORT,
	KEY_LIMIT,
	KEY_MAPPINGS,
};

static const struct argp_option own_options[] = {
	{ "inside", KEY_INSIDE, "ADDR[/N]", 0, "only flows of these inside hosts", 1 },
	{ "destination", KEY_DESTINATION, "ADDR[/N][:PORT]", 0, "only flows to there", 1 },
	{ "proto", KEY_PROTO, "NAME", 0,
	  "only flows of this protocol: tcp, udp, icmp, gre, esp, sctp, ..., or its number", 1 },
	{ "state", KEY_STATE, "NAME", 0,
	  "only flows in this state: new, replied, open, opening, established, half-closed, closing, "
	  "reset",
	  1 },
	{ "sort", KEY_SORT, "bytes|packets|age|idle", 0,
	  "the most bytes, packets or age, or the least idle, first (default: unsorted)", 1 },
	{ "limit", KEY_LIMIT, "N", 0, "at most N flows (default: all)", 1 },
	{ "mappings", KEY_MAPPINGS, NULL, 0,
	  "show the endpoint-independent mappings instead, and how many flows hold each", 1 },
	{ 0 },
};

static const char doc[] =
	"Show the flows, one a line. Times are in seconds. The number after an address is the port, "
	"or the identifier of ICMP echo.\v"
	"Examples:\n"
	"  natxdp flows --sort bytes --limit 10           who uses the most\n"
	"  natxdp flows --inside 10.0.1.7                 what one host does\n"
	"  natxdp flows --destination 192.0.2.0/24:443\n"
	"  natxdp flows --mappings --proto udp\n"
	"  natxdp flows --json | jq '.[] | select(.out.packets > 1000)'";

static error_t parse_filter(int key, const char *arg, struct arguments *arguments,
			    struct reason *why)
{
	struct flow_filter *filter = &arguments->filter;
	char *end;

	switch (key) {
	case KEY_INSIDE:
		return flow_filter_inside(filter, arg, why);
	case KEY_DESTINATION:
		return flow_filter_destination(filter, arg, why);
	case KEY_PROTO:
		return flow_filter_proto(filter, arg, why);
	case KEY_STATE:
		return flow_filter_state(filter, arg, why);
	case KEY_SORT:
		return flow_sort_parse(&arguments->sort, arg, why);
	case KEY_MAPPINGS:
		arguments->mappings = true;
		return 0;
	case KEY_LIMIT:
		arguments->limit = strtoull(arg, &end, 10);
		if (*arg >= '1' && *arg <= '9' && !*end)
			return 0;
		snprintf(why->text, sizeof(why->text), "'%.20s' is not a number of flows", arg);
		return -EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct reason why;
	error_t ret;

	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = &arguments->options;
		return 0;
	}
	if (key == ARGP_KEY_END && arguments->mappings && arguments->filter.state)
		argp_error(state, "--state: mappings have none: leave it out");
	ret = parse_filter(key, arg, arguments, &why);
	if (ret == -EINVAL)
		argp_error(state, "%s", why.text);
	return ret;
}

/* The next one that is wanted. */
static bool next(struct table *table, const struct arguments *arguments, struct flow_view *view)
{
	while (table_next_any(table, view)) {
		if (arguments->mappings && view->out.key.dport)
			continue; /* of a packet that another inside host refused */
		if (flow_view_is_mapping(view) == arguments->mappings &&
		    flow_filter_match(&arguments->filter, view))
			return true;
	}
	return false;
}

/* As they stand in the table, holding none of them. */
static int print_unsorted(struct table *table, const struct arguments *arguments,
			  struct flow_printer *printer)
{
	struct flow_view view;

	while (printer->count < arguments->limit && next(table, arguments, &view))
		flow_print(printer, &view);
	return 0;
}

static int collect(struct table *table, const struct arguments *arguments, struct flow_view **views,
		   size_t *count)
{
	struct flow_view *list = NULL, *larger, view;
	size_t room = 0;

	*count = 0;
	while (next(table, arguments, &view)) {
		if (*count == room) {
			room = room ? 2 * room : 1024;
			larger = realloc(list, room * sizeof(*list));
			if (!larger) {
				free(list);
				return -ENOMEM;
			}
			list = larger;
		}
		list[(*count)++] = view;
	}
	*views = list;
	return 0;
}

static int print_sorted(struct table *table, const struct arguments *arguments,
			struct flow_printer *printer)
{
	struct flow_view *views;
	size_t count;
	int ret;

	ret = collect(table, arguments, &views, &count);
	if (ret)
		return ret;
	flow_sort(views, count, arguments->sort, printer->now);
	for (size_t i = 0; i < count && i < arguments->limit; i++)
		flow_print(printer, &views[i]);
	free(views);
	return 0;
}

static int show(const struct nat *nat, const struct arguments *arguments)
{
	struct flow_printer printer = {
		.out = stdout,
		.json = arguments->options.json,
		.mappings = arguments->mappings,
		.config = &nat->config,
		.now = table_ticks_now(),
	};
	struct table table;
	int ret;

	ret = table_open(&table, nat, TABLE_READ);
	if (ret)
		return ret;
	printer.tunnels = tunnels_map(nat);
	flow_print_begin(&printer);
	ret = (arguments->sort ? print_sorted : print_unsorted)(&table, arguments, &printer);
	flow_print_end(&printer);
	tunnels_unmap(printer.tunnels);
	table_close(&table);
	return ret;
}

int cmd_flows(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { own_options, parse, NULL, doc, children, NULL, NULL };
	struct arguments arguments = { .limit = UINT64_MAX };
	char pin_dir[PIN_DIR_MAX];
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
	ret = show(&nat, &arguments);
	nat_close(&nat);
	return ret ? err_set(err, STATUS_SYSTEM, ret, "the flows cannot be shown: %s",
			     strerror(-ret)) :
		     0;
}
