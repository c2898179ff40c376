/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "block.h"
#include "commands.h"
#include "err.h"
#include "json.h"
#include "nat.h"
#include "options.h"
#include "privilege.h"

enum action { ACTION_NONE, ACTION_ADD, ACTION_DELETE, ACTION_LIST, ACTIONS };

static const char *const action_names[ACTIONS] = { "", "add", "del", "list" };

enum { TIME_TEXT = 32 };

struct arguments {
	struct options options;
	enum action action;
	bool has_addr;
	struct natxdp_prefix addr;
	char text[INET_ADDRSTRLEN];
};

static const char doc[] =
	"Keep inside addresses from using the NAT. add ends all flows of the address at once, and it "
	"gets no new ones until del. The list outlives 'natxdp load' and ends with 'natxdp "
	"unload'.\v"
	"Examples:\n"
	"  natxdp block add 10.0.1.7\n"
	"  natxdp block list\n"
	"  natxdp block del 10.0.1.7";

static void parse_action(const char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	for (int i = ACTION_ADD; i < ACTIONS; i++) {
		if (!strcmp(action_names[i], arg))
			arguments->action = i;
	}
	if (!arguments->action)
		argp_error(state, "%s: give add, del or list", arg);
}

static void parse_addr(const char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct reason why;

	if (arguments->action == ACTION_LIST)
		argp_error(state, "%s: list takes no address", arg);
	if (arguments->has_addr)
		argp_error(state, "%s: one address at a time", arg);
	if (parse_prefix(arg, &arguments->addr, &why))
		argp_error(state, "%s", why.text);
	if (arguments->addr.bits != 32)
		argp_error(state, "%s: only single addresses can be blocked", arg);
	inet_ntop(AF_INET, &arguments->addr.addr, arguments->text, sizeof(arguments->text));
	arguments->has_addr = true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case ARGP_KEY_ARG:
		(arguments->action ? parse_addr : parse_action)(arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!arguments->action)
			argp_error(state, "give add, del or list");
		if (arguments->action != ACTION_LIST && !arguments->has_addr)
			argp_error(state, "which address?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int add(const struct nat *nat, const struct arguments *arguments, struct err *err)
{
	uint64_t ended;
	cJSON *object;
	int ret;

	ret = block_add(nat, arguments->addr.addr, &ended);
	if (ret == -E2BIG)
		return err_set(err, STATUS_STATE, ret,
			       "%s: the list has its %d addresses: take others off it first",
			       arguments->text, NATXDP_BLOCKED_MAX);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "%s: cannot be blocked: %s",
			       arguments->text, strerror(-ret));
	if (!arguments->options.json) {
		printf("%s: blocked, %" PRIu64 " flows ended\n", arguments->text, ended);
		return 0;
	}
	object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "address", arguments->text);
	cJSON_AddBoolToObject(object, "blocked", true);
	json_add_count(object, "flows_ended", ended);
	return json_print(object);
}

static int delete (const struct nat *nat, const struct arguments *arguments, struct err *err)
{
	int ret = block_delete(nat, arguments->addr.addr);
	cJSON *object;

	if (ret == -ENOENT)
		return err_set(err, STATUS_STATE, ret,
			       "%s: is not blocked: 'natxdp block list' shows what is",
			       arguments->text);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "%s: cannot be taken off the list: %s",
			       arguments->text, strerror(-ret));
	if (!arguments->options.json) {
		printf("%s: not blocked any more\n", arguments->text);
		return 0;
	}
	object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "address", arguments->text);
	cJSON_AddBoolToObject(object, "blocked", false);
	return json_print(object);
}

static int print_list(const struct block_list *list, bool json)
{
	cJSON *array = json ? cJSON_CreateArray() : NULL, *object;
	char addr[INET_ADDRSTRLEN], since[TIME_TEXT];
	struct tm utc;

	for (unsigned int i = 0; i < list->count; i++) {
		time_t seconds = list->item[i].since;

		inet_ntop(AF_INET, &list->item[i].addr, addr, sizeof(addr));
		if (!gmtime_r(&seconds, &utc) ||
		    !strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &utc))
			strcpy(since, "?");
		if (!json) {
			printf("%-15s since %s\n", addr, since);
			continue;
		}
		object = cJSON_CreateObject();
		cJSON_AddStringToObject(object, "address", addr);
		cJSON_AddStringToObject(object, "since", since);
		cJSON_AddItemToArray(array, object);
	}
	return json ? json_print(array) : 0;
}

static int list(const struct nat *nat, const struct arguments *arguments, struct err *err)
{
	struct block_list *blocked = malloc(sizeof(*blocked));
	int ret = blocked ? block_read(nat, blocked) : -ENOMEM;

	if (ret)
		ret = err_set(err, STATUS_KERNEL, ret, "map blocked: cannot read: %s",
			      strerror(-ret));
	else
		ret = print_list(blocked, arguments->options.json);
	free(blocked);
	return ret;
}

int cmd_block(int argc, char **argv, struct err *err)
{
	static int (*const run[ACTIONS])(const struct nat *, const struct arguments *,
					 struct err *) = { NULL, add, delete, list };
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = {
		NULL, parse, "add ADDR\ndel ADDR\nlist", doc, children, NULL, NULL,
	};
	struct arguments arguments = { 0 };
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
	ret = run[arguments.action](&nat, &arguments, err);
	nat_close(&nat);
	return ret;
}
