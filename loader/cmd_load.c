/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bring.h"
#include "commands.h"
#include "err.h"
#include "instance.h"
#include "log.h"
#include "netns.h"
#include "nicfix.h"
#include "options.h"
#include "pins.h"
#include "plan.h"
#include "privilege.h"
#include "recall.h"
#include "lastload.h"
#include "rundir.h"
#include "status.h"
#include "upgrade.h"
#include "watcher.h"

struct arguments {
	struct options options;
	const char *iface;
	bool print_config;
	bool no_watch;
	bool quiet; /* say nothing about success */
	bool fix;
};

enum { KEY_PRINT_CONFIG = 0x200, KEY_NO_WATCH, KEY_FIX };

static const struct argp_option own_options[] = {
	{ "fix", KEY_FIX, NULL, 0,
	  "change what keeps the driver from running XDP: its MTU, queues or LRO ('natxdp check' "
	  "shows them); unload puts them back",
	  1 },
	{ "no-watch", KEY_NO_WATCH, NULL, 0,
	  "do not start the process that follows routes, neighbours and addresses, and holds "
	  "fragments that come too early",
	  1 },
	{ "print-config", KEY_PRINT_CONFIG, NULL, 0,
	  "print the configuration that would be used, and do nothing", 1 },
	{ 0 },
};

static const char doc[] =
	"Translate the traffic of inside hosts that comes in by IFACE. With --inside, IFACE is the "
	"outside interface; auto is the one that leads to the internet. On a NAT that runs, this takes over a new program and new settings, and "
	"every flow goes on.\v"
	"Examples:\n"
	"  natxdp load eth0                  one interface, its first address is external\n"
	"  natxdp load eth0 --inside eth1    inside hosts behind eth1, outside by eth0\n"
	"  natxdp load eth0 --external 192.0.2.7:1024-60999,192.0.2.8\n"
	"  natxdp load eth0 --print-config   check the configuration, change nothing\n"
	"\n"
	"After it: 'natxdp status'. To end it: 'natxdp unload IFACE'.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		state->child_inputs[1] = &arguments->options;
		return 0;
	case KEY_PRINT_CONFIG:
		arguments->print_config = true;
		return 0;
	case KEY_NO_WATCH:
		arguments->no_watch = true;
		return 0;
	case KEY_FIX:
		arguments->fix = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "%s: one interface only: give others with --inside", arg);
		arguments->iface = arg;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->iface && !arguments->print_config)
			argp_error(state,
				   "which interface? 'ip link' lists them; auto is the one that "
				   "leads to the internet");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void warn_of_foreign_addresses(const struct plan *plan)
{
	char text[INET_ADDRSTRLEN];

	for (unsigned int i = 0; i < plan->pool.count; i++) {
		__be32 addr = plan->pool.item[i].addr;

		if (host_addrs_has(&plan->addrs, addr))
			continue;
		inet_ntop(AF_INET, &addr, text, sizeof(text));
		log_note("external address %s is not configured on this host: see that packets to "
			 "it come here",
			 text);
	}
}

static int start_watcher(const struct plan *plan, bool wanted, struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;

	/* one that runs is of the program before, and perhaps of other tables */
	if (!wanted && !watcher_pid(pin_dir))
		return 0;
	watcher_stop(pin_dir);
	return watcher_start(pin_dir, err);
}

/* Where nothing runs. What --fix has changed goes back if nothing comes of it. */
static int load_first(const struct plan *plan, bool fix, struct err *err)
{
	bool volatile_mount = false;
	char why[HOOK_WHY_MAX];
	int ret = 0;

	if (fix)
		ret = nicfix_apply(plan, err);
	if (!ret)
		ret = bring_up(plan, &volatile_mount, why, err);
	if (ret && fix)
		nicfix_restore(plan->settings->pin_dir);
	if (!ret && *why)
		log_note("hook = auto: at TC, because %s", why);
	if (!ret)
		ret = lastload_write_why(plan->settings->pin_dir, why, err);
	if (!ret && volatile_mount)
		log_note(
			"the bpf file system here belongs to this mount namespace only, and the NAT "
			"ends with it: use 'nsenter --net=' instead of 'ip netns exec'");
	return ret;
}

enum loaded { LOADED_NEW, LOADED_OVER, LOADED_BACK };

/* What a NAT that does not translate has left: its flows, if they are whole. */
static int load_over_remains(const struct plan *plan, const struct instance *instance,
			     enum loaded *how, struct err *err)
{
	int ret;

	*how = LOADED_BACK;
	ret = netns_is_elsewhere(plan->settings->pin_dir) ? -ESTALE :
							    bring_back(plan, instance, err);
	if (ret != -ESTALE)
		return ret;
	*how = LOADED_NEW;
	ret = bring_down(plan->settings->pin_dir, err);
	if (!ret)
		log_note("%s: cleared away what a load or unload that did not finish has left",
			 plan->settings->pin_dir);
	return ret;
}

static int load(const struct plan *plan, bool fix, enum loaded *how, struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	struct instance instance;
	int ret = 0;

	ret = upgrade_settle(pin_dir, err);
	if (ret)
		return ret;
	instance_look(&instance, pin_dir);
	*how = LOADED_NEW;
	if (instance.state == INSTANCE_RUNNING) {
		*how = LOADED_OVER;
		return bring_over(plan, &instance, err);
	}
	/* also what was changed and not put back, by one that was killed before it had pins */
	if (instance.state == INSTANCE_REMAINS || netns_is_elsewhere(pin_dir))
		ret = load_over_remains(plan, &instance, how, err);
	if (ret || *how == LOADED_BACK)
		return ret;
	return load_first(plan, fix, err);
}

static void say_loaded(const struct plan *plan, enum loaded how)
{
	static const char *const what[] = { "loaded", "replaced, flows kept",
					    "brought back, flows kept" };
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &plan->pool.item[0].addr, text, sizeof(text));
	printf("%s: %s, %s, external %s", plan->dev[NATXDP_DEV_OUTSIDE].name, what[how],
	       plan->two_armed ? "two-armed" : "one-armed", text);
	if (plan->pool.count > 1)
		printf(" and %u more", plan->pool.count - 1);
	putchar('\n');
}

struct words {
	int argc;
	char **argv;
};

/* A reload is of the interface that `auto` was at the load, wherever the route leads then. */
static int choose_iface(char iface[IFNAMSIZ], const char *word, const struct words *words,
			struct err *err)
{
	int ret = plan_iface(iface, word, err);

	/* a recorded load has its name, and its words are not of this stack */
	for (int i = 0; !ret && strcmp(word, iface) && i < words->argc; i++) {
		if (words->argv[i] == word)
			words->argv[i] = iface;
	}
	return ret;
}

static int run(const struct arguments *arguments, const struct words *words,
	       const struct settings *settings, struct err *err)
{
	char iface[IFNAMSIZ];
	struct plan *plan;
	enum loaded how;
	int lock, ret;

	ret = privilege_check(err);
	if (!ret)
		ret = choose_iface(iface, arguments->iface, words, err);
	if (ret)
		return ret;
	plan = malloc(sizeof(*plan));
	if (!plan)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	ret = plan_make(plan, settings, iface, err);
	if (ret)
		goto free;
	lock = rundir_lock(settings->pin_dir, LOCK_PATIENCE_MS, err);
	if (lock < 0) {
		ret = lock;
		goto free;
	}
	ret = load(plan, arguments->fix, &how, err);
	if (!ret)
		ret = lastload_write(settings, iface, words->argc, words->argv, err);
	if (ret)
		goto unlock;
	warn_of_foreign_addresses(plan);
	ret = start_watcher(plan, !arguments->no_watch, err);
	if (arguments->options.json)
		ret = ret ? ret : status_show(settings->pin_dir, true, err);
	else if (!arguments->quiet)
		say_loaded(plan, how);
unlock:
	rundir_unlock(lock, settings->pin_dir, !pins_exist(settings->pin_dir));
free:
	free(plan);
	return ret;
}

static void read_arguments(struct arguments *arguments, int argc, char **argv)
{
	const struct argp_child children[] = {
		{ options_settings(), 0, NULL, 0 },
		{ &options_common, 0, NULL, 0 },
		{ 0 },
	};
	const struct argp argp = { own_options, parse, "IFACE", doc, children, NULL, NULL };

	argp_parse(&argp, argc, argv, 0, NULL, arguments);
}

int load_recall(const struct lastload *last, struct settings *settings, char iface[IFNAMSIZ],
		struct err *err)
{
	struct arguments arguments = { 0 };

	read_arguments(&arguments, last->argc, last->argv);
	snprintf(iface, IFNAMSIZ, "%s", arguments.iface);
	return options_make_settings(&arguments.options, settings, err);
}

/* @words are those that @arguments were read from. */
static int act(const struct arguments *arguments, const struct words *words, struct err *err)
{
	struct settings *settings = malloc(sizeof(*settings));
	int ret;

	if (!settings)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	ret = options_make_settings(&arguments->options, settings, err);
	if (!ret && arguments->print_config)
		settings_print(settings, stdout);
	else if (!ret)
		ret = run(arguments, words, settings, err);
	free(settings);
	return ret;
}

int load_again(const struct lastload *last, struct err *err)
{
	const struct words words = { last->argc, last->argv };
	struct arguments arguments = { .quiet = true };

	read_arguments(&arguments, last->argc, last->argv);
	return act(&arguments, &words, err);
}

int cmd_load(int argc, char **argv, struct err *err)
{
	const struct words words = { argc, argv };
	struct arguments arguments = { 0 };

	read_arguments(&arguments, argc, argv);
	return act(&arguments, &words, err);
}
