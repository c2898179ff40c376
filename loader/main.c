/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include <natxdp/config.h>

#include "commands.h"
#include "err.h"
#include "log.h"
#include "version.h"

static int cmd_help(int argc, char **argv, struct err *err);
static int cmd_version(int argc, char **argv, struct err *err);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv, struct err *err);
	const char *arguments;
	const char *help;
} commands[] = {
	{ "load", cmd_load, "IFACE [options]",
	  "translate, or take over a new program and settings" },
	{ "reload", cmd_reload, "", "take over a changed configuration, and keep every flow" },
	{ "unload", cmd_unload, "IFACE | --all", "stop, and put everything back" },
	{ "check", cmd_check, "IFACE [options]", "what is missing before it can be loaded" },
	{ "status", cmd_status, "", "what is loaded, and is it well" },
	{ "flows", cmd_flows, "[filters]", "the flows, one a line" },
	{ "top", cmd_top, "[--once]", "who moves the most bytes now" },
	{ "stats", cmd_stats, "[--all]", "what became of the packets" },
	{ "pools", cmd_pools, "[drain|undrain ADDR]", "the external addresses, and how full" },
	{ "block", cmd_block, "add|del ADDR | list", "inside addresses that may not use it" },
	{ "verify", cmd_verify, "[--repair]",
	  "prove with a packet that it translates as configured" },
	{ "failover", cmd_failover, "status | to NODE [ZONE] | hold | release",
	  "who owns which zone, in a fleet with peers" },
	{ "watch", cmd_watch, "", "follow routes and neighbours (load starts this by itself)" },
	{ "help", cmd_help, "[COMMAND]", "this, or the options of a command" },
	{ "version", cmd_version, "", "which version this is" },
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static const struct command *find(const char *name)
{
	for (int i = 0; i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int run(const struct command *command, int argc, char **argv, struct err *err)
{
	static char name[32];

	/* argp begins its messages with this */
	snprintf(name, sizeof(name), "natxdp %s", command->name);
	argv[0] = name;
	return command->run(argc, argv, err);
}

static int unknown(const char *name, struct err *err)
{
	return err_set(err, STATUS_USAGE, 0, "%s: no such command: 'natxdp help' lists them", name);
}

static int cmd_help(int argc, char **argv, struct err *err)
{
	char *help[] = { NULL, "--help", NULL };

	if (argc > 1 && *argv[1] != '-') {
		const struct command *command = find(argv[1]);

		if (!command || command->run == cmd_help || command->run == cmd_version)
			return unknown(argv[1], err);
		return run(command, 2, help, err);
	}
	puts("natxdp: source NAT in XDP\n");
	for (int i = 0; i < COMMANDS; i++)
		printf("  natxdp %-7s %-20s %s\n", commands[i].name, commands[i].arguments,
		       commands[i].help);
	puts("\n'natxdp COMMAND --help' shows its options, natxdp(8) and natxdp.conf(5) tell all.");
	return 0;
}

static int cmd_version(int argc, char **argv, struct err *err)
{
	(void)err;
	if (argc > 1 && (!strcmp(argv[1], "--json") || !strcmp(argv[1], "-j")))
		printf("{\"version\":\"%s\",\"abi\":%d}\n", NATXDP_VERSION, NATXDP_ABI);
	else
		printf("natxdp %s, tables version %d\n", NATXDP_VERSION, NATXDP_ABI);
	return 0;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct err err = { 0 };
	const char *name = argc > 1 ? argv[1] : "help";

	log_init(false);
	argp_err_exit_status = STATUS_USAGE;
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version"))
		name = "version";
	command = find(name);
	if (command && argc > 1) {
		run(command, argc - 1, argv + 1, &err);
	} else {
		if (command)
			cmd_help(1, argv, &err);
		else
			unknown(name, &err);
		err.status = STATUS_USAGE;
	}
	if (*err.text)
		log_error("%s", err.text);
	/* what was printed may not have arrived: a full disk, a closed pipe */
	if (fflush(stdout) && !err.status) {
		log_error("standard output: cannot write");
		return STATUS_SYSTEM;
	}
	return err.status;
}
