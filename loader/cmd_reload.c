/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "commands.h"
#include "err.h"
#include "instance.h"
#include "options.h"
#include "privilege.h"
#include "lastload.h"

static const char doc[] =
	"Take over what has changed in the configuration: load again as it was loaded, with the "
	"same options over the file of now. Every flow goes on. A change that is refused changes "
	"nothing.\v"
	"Examples:\n"
	"  natxdp reload";

/* `load` with the recorded words, and --json if it is wanted now. */
static int load_again(const struct lastload *last, bool json, struct err *err)
{
	char **argv = calloc(last->argc + 2, sizeof(*argv));
	int argc = 0, ret;

	if (!argv)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	for (; argc < last->argc; argc++)
		argv[argc] = last->argv[argc];
	if (json)
		argv[argc++] = "--json";
	ret = cmd_load(argc, argv, err);
	free(argv);
	return ret;
}

int cmd_reload(int argc, char **argv, struct err *err)
{
	struct options options = { 0 };
	char pin_dir[PIN_DIR_MAX];
	struct instance instance;
	struct lastload last;
	int ret;

	ret = options_parse_simple(argc, argv, doc, &options, pin_dir, err);
	if (!ret)
		ret = privilege_check(err);
	if (ret)
		return ret;
	instance_look(&instance, pin_dir);
	if (instance.state == INSTANCE_NONE)
		return err_set(err, STATUS_NOT_LOADED, ENOENT,
			       "%s: no NAT is loaded here: 'natxdp load IFACE' loads one", pin_dir);
	ret = lastload_read(&last, pin_dir, err);
	if (ret)
		return ret;
	ret = load_again(&last, options.json, err);
	lastload_free(&last);
	return ret;
}
