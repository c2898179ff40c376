/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The commands, one file each. argv[0] is "natxdp COMMAND". They return 0, or
 * -errno with @err written.
 */
#ifndef NATXDP_COMMANDS_H
#define NATXDP_COMMANDS_H

struct err;

int cmd_load(int argc, char **argv, struct err *err);
int cmd_reload(int argc, char **argv, struct err *err);
int cmd_unload(int argc, char **argv, struct err *err);
int cmd_status(int argc, char **argv, struct err *err);
int cmd_flows(int argc, char **argv, struct err *err);
int cmd_stats(int argc, char **argv, struct err *err);
int cmd_top(int argc, char **argv, struct err *err);
int cmd_pools(int argc, char **argv, struct err *err);
int cmd_block(int argc, char **argv, struct err *err);
int cmd_verify(int argc, char **argv, struct err *err);
int cmd_check(int argc, char **argv, struct err *err);
int cmd_failover(int argc, char **argv, struct err *err);
int cmd_watch(int argc, char **argv, struct err *err);

#endif
