/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "bring.h"
#include "commands.h"
#include "err.h"
#include "instance.h"
#include "json.h"
#include "options.h"
#include "pins.h"
#include "privilege.h"
#include "rundir.h"

struct arguments {
	struct options options;
	const char *iface;
	bool all;
};

enum { KEY_ALL = 'a' };

static const struct argp_option own_options[] = {
	{ "all", KEY_ALL, NULL, 0, "whatever is loaded; nothing loaded is no error", 1 },
	{ 0 },
};

static const char doc[] =
	"Stop translating: detach from the interfaces, end every flow, remove the pins, and put the "
	"sysctls and the settings of the NICs back as they were before, also from another network "
	"namespace than that of the NAT.\v"
	"Examples:\n"
	"  natxdp unload eth0\n"
	"  natxdp unload --all    also clears away what an interrupted load has left";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case KEY_ALL:
		arguments->all = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->iface)
			argp_error(state, "%s: one interface only: it unloads all of its NAT", arg);
		arguments->iface = arg;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->iface == !arguments->all)
			argp_error(state, "give the interface, or --all");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int check(const struct instance *instance, const struct arguments *arguments,
		 const char *pin_dir, struct err *err)
{
	if (arguments->all)
		return 0;
	if (instance->state == INSTANCE_NONE)
		return err_set(err, STATUS_NOT_LOADED, ENOENT, "%s: no NAT is loaded at %s",
			       arguments->iface, pin_dir);
	if (instance->state == INSTANCE_RUNNING && !instance_find(instance, arguments->iface))
		return err_set(err, STATUS_NOT_LOADED, ENOENT,
			       "%s: the NAT at %s is not on it but on %s: 'natxdp status' shows more",
			       arguments->iface, pin_dir, instance->link[0].name);
	return 0;
}

static int say_unloaded(const struct instance *instance, bool json)
{
	static const char *const what[] = { "nothing", "remains", "nat" };
	cJSON *object, *list;

	if (json) {
		object = cJSON_CreateObject();
		cJSON_AddStringToObject(object, "unloaded", what[instance->state]);
		list = cJSON_AddArrayToObject(object, "interfaces");
		for (unsigned int i = 0; i < instance->link_count; i++)
			cJSON_AddItemToArray(list, cJSON_CreateString(instance->link[i].name));
		return json_print(object);
	}
	if (instance->state == INSTANCE_NONE)
		puts("nothing was loaded");
	else if (instance->state == INSTANCE_REMAINS)
		puts("cleared away what a load or unload that did not finish has left");
	for (unsigned int i = 0; i < instance->link_count; i++)
		printf("%s: unloaded\n", instance->link[i].name);
	return 0;
}

int cmd_unload(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { own_options, parse, "IFACE\n--all", doc, children, NULL, NULL };
	struct arguments arguments = { 0 };
	char pin_dir[PIN_DIR_MAX];
	struct instance instance;
	int lock, ret;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	ret = options_find_pin_dir(&arguments.options, pin_dir, err);
	if (!ret)
		ret = privilege_check(err);
	if (ret)
		return ret;
	lock = rundir_lock(pin_dir, LOCK_PATIENCE_MS, err);
	if (lock < 0)
		return lock;
	instance_look(&instance, pin_dir);
	ret = check(&instance, &arguments, pin_dir, err);
	if (!ret)
		ret = bring_down(pin_dir, err);
	if (!ret)
		ret = say_unloaded(&instance, arguments.options.json);
	rundir_unlock(lock, pin_dir, !pins_exist(pin_dir));
	return ret;
}
