/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "commands.h"
#include "options.h"
#include "privilege.h"
#include "status.h"

static const char doc[] =
	"Show what is loaded: interfaces, program, external addresses, how full the flow table is, "
	"the watcher, the sysctls. Exit status 7 says that nothing is loaded, 6 that a load did not "
	"finish.\v"
	"Examples:\n"
	"  natxdp status\n"
	"  natxdp status --json | jq .flows";

int cmd_status(int argc, char **argv, struct err *err)
{
	struct options options = { 0 };
	char pin_dir[PIN_DIR_MAX];
	int ret;

	ret = options_parse_simple(argc, argv, doc, &options, pin_dir, err);
	if (!ret)
		ret = privilege_check(err);
	return ret ? ret : status_show(pin_dir, options.json, err);
}
