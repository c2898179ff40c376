/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands.h"
#include "err.h"
#include "log.h"
#include "options.h"
#include "privilege.h"
#include "watch.h"
#include "watcher.h"

struct arguments {
	struct options options;
	bool syslog;
	int ready_fd;
};

enum { KEY_SYSLOG = 0x200, KEY_READY_FD };

static const struct argp_option own_options[] = {
	{ "syslog", KEY_SYSLOG, NULL, 0, "write messages to syslog instead of stderr", 1 },
	{ "ready-fd", KEY_READY_FD, "FD", 0, "write a byte there when nothing is missed any more",
	  1 },
	{ 0 },
};

static const char doc[] =
	"Follow routes, neighbours and addresses, and tell the NAT when a next hop is not to be "
	"trusted any more; hold IP fragments that come before the first one of their datagram. "
	"'natxdp load' starts this in the background, so it is needed by hand only after --no-watch "
	"or for a service manager. It stays in the foreground, and ends when the NAT is unloaded. "
	"SIGUSR1 has it say how many fragments it has held.\v"
	"Examples:\n"
	"  natxdp load eth0 --inside eth1 --no-watch && natxdp watch";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case KEY_SYSLOG:
		arguments->syslog = true;
		return 0;
	case KEY_READY_FD:
		arguments->ready_fd = strtol(arg, &end, 10);
		if (*end || arguments->ready_fd < 0)
			argp_error(state, "'%s' is not a file descriptor", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_watch(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { own_options, parse, NULL, doc, children, NULL, NULL };
	struct arguments arguments = { .ready_fd = -1 };
	char pin_dir[PIN_DIR_MAX];
	int claim, ret;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.syslog)
		log_to_syslog();
	ret = options_find_pin_dir(&arguments.options, pin_dir, err);
	if (!ret)
		ret = privilege_check(err);
	if (ret)
		return ret;
	claim = watcher_claim(pin_dir, err);
	if (claim < 0)
		return claim;
	ret = watch_run(pin_dir, arguments.ready_fd, err);
	close(claim);
	return ret;
}
