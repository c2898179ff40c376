/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <argp.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "commands.h"
#include "err.h"
#include "json.h"
#include "options.h"

enum { TO_PATIENCE_MS = 60000, LOOK_MS = 200 };

struct arguments {
	struct options options;
	const char *what, *node, *zone;
	bool force;
};

static const struct argp_option own_options[] = {
	{ "force", 'f', NULL, 0,
	  "to: do not wait for the flows to be in sync, or for the node to be healthy", 0 },
	{ 0 },
};

static const char doc[] =
	"Who owns which zone: its routes and elastic IPs. All of it is asked of the agent of this node "
	"(natxdpd), which tells its peers.\n"
	"\n"
	"status: zones, their owners, and what the nodes think of each other. to: give a zone, or all, to "
	"a node, without losing a connection; it stays there until it is moved again. hold: no moves by "
	"themselves, whatever dies. release: the opposite.\v"
	"Examples:\n"
	"  natxdp failover status\n"
	"  natxdp failover to nat-b eu-central-1a\n"
	"  natxdp failover hold\n"
	"  natxdp failover status --json | jq '.zones[] | {zone, owner}'";

static error_t parse_argument(char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (!a->what) {
		if (strcmp(arg, "status") && strcmp(arg, "to") && strcmp(arg, "hold") &&
		    strcmp(arg, "release"))
			argp_error(state, "%s: give status, to, hold or release", arg);
		a->what = arg;
	} else if (!strcmp(a->what, "to") && !a->node) {
		a->node = arg;
	} else if (strcmp(a->what, "status") && !a->zone) {
		a->zone = arg;
	} else {
		argp_error(state, "%s: one argument too many", arg);
	}
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->options;
		return 0;
	case 'f':
		a->force = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(arg, state);
	case ARGP_KEY_END:
		if (!a->what)
			a->what = "status";
		if (!strcmp(a->what, "to") && !a->node)
			argp_error(state, "to which node? 'natxdp failover status' lists them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(member(object, name));

	return text ? text : "-";
}

static bool is(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(member(object, name));
}

static void print_zones(const cJSON *status)
{
	const cJSON *zone;

	printf("%-16s %-12s %-12s %6s %-9s %-10s %s\n", "ZONE", "HOME", "OWNER", "EPOCH", "HERE",
	       "WHY", "HOLD");
	cJSON_ArrayForEach(zone, member(status, "zones")) {
		printf("%-16s %-12s %-12s %6.0f %-9s %-10s %s\n", text_of(zone, "zone"),
		       text_of(zone, "home"), text_of(zone, "owner"),
		       cJSON_GetNumberValue(member(zone, "epoch")), text_of(zone, "state"),
		       text_of(zone, "reason"), is(zone, "hold") ? "held" : "no");
	}
}

static void print_nodes(const cJSON *status)
{
	const cJSON *node;

	printf("\n%-12s %-16s %-8s %-8s %-9s %-7s %s\n", "NODE", "ZONE", "ALIVE", "HEALTHY",
	       "DRAINING", "SYNCED", "HEARD");
	cJSON_ArrayForEach(node, member(status, "nodes")) {
		const cJSON *heard = member(node, "heard_ms");
		bool self = is(node, "self");

		printf("%-12s %-16s %-8s %-8s %-9s %-7s ", text_of(node, "node"),
		       text_of(node, "zone"), is(node, "alive") ? "yes" : "no",
		       is(node, "healthy") ? "yes" : "no", is(node, "draining") ? "yes" : "no",
		       self		  ? "-" :
		       is(node, "synced") ? "yes" :
					    "no");
		if (self)
			puts("this node");
		else if (cJSON_IsNumber(heard))
			printf("%.0f ms ago\n", cJSON_GetNumberValue(heard));
		else
			puts("never");
	}
}

static int show(const struct arguments *a, cJSON *reply, struct err *err)
{
	cJSON *status = cJSON_DetachItemFromObjectCaseSensitive(reply, "status");

	if (!member(status, "zones")) {
		cJSON_Delete(status);
		return err_set(err, STATUS_STATE, ENOENT,
			       "this node has no peers: ha_node is not set in natxdpd.conf");
	}
	if (a->options.json)
		return json_print(status);
	print_zones(status);
	print_nodes(status);
	cJSON_Delete(status);
	return 0;
}

static bool has_moved(const struct arguments *a, const cJSON *reply)
{
	const cJSON *zone;

	cJSON_ArrayForEach(zone, member(member(reply, "status"), "zones")) {
		if ((!a->zone || !strcmp(a->zone, text_of(zone, "zone"))) &&
		    strcmp(text_of(zone, "owner"), a->node))
			return false;
	}
	return true;
}

static int wait_for_move(const char *pin_dir, const struct arguments *a, cJSON **reply,
			 struct err *err)
{
	int ret;

	for (int waited = 0; !has_moved(a, *reply); waited += LOOK_MS) {
		if (waited >= TO_PATIENCE_MS)
			return err_set(err, STATUS_STATE, ETIMEDOUT,
				       "%s has not got it within a minute: 'natxdp failover status' and "
				       "the log of natxdpd say why",
				       a->node);
		usleep(LOOK_MS * 1000);
		cJSON_Delete(*reply);
		ret = ask_agent(pin_dir, ask_request("status"), reply, err);
		if (ret)
			return ret;
	}
	return 0;
}

int cmd_failover(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = {
		own_options, parse,    "[status]\nto NODE [ZONE]\nhold [ZONE]\nrelease [ZONE]",
		doc,	     children, NULL,
		NULL,
	};
	struct arguments a = { 0 };
	char pin_dir[PIN_DIR_MAX];
	cJSON *request, *reply = NULL;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	ret = options_find_pin_dir(&a.options, pin_dir, err);
	if (ret)
		return ret;
	request = ask_request(a.what);
	if (a.node)
		cJSON_AddStringToObject(request, "node", a.node);
	if (a.zone)
		cJSON_AddStringToObject(request, "zone", a.zone);
	cJSON_AddBoolToObject(request, "force", a.force);
	ret = ask_agent(pin_dir, request, &reply, err);
	if (!ret && a.node)
		ret = wait_for_move(pin_dir, &a, &reply, err);
	if (!ret)
		ret = show(&a, reply, err);
	cJSON_Delete(reply);
	return ret;
}
