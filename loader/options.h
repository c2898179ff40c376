/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The options that commands share, for argp. */
#ifndef NATXDP_OPTIONS_H
#define NATXDP_OPTIONS_H

#include <argp.h>
#include <stdbool.h>

#include "settings.h"

enum { SETTINGS_MAX = 40 }; /* more than settings_table has */

struct options {
	const char *config;  /* NULL: SETTINGS_FILE, if it is there */
	const char *pin_dir; /* NULL: not given */
	bool json;
	bool verbose;
	const char *value[SETTINGS_MAX]; /* by index in settings_table, as given */
};

/* Children for a command's argp; their input is struct options. */
extern const struct argp options_common;

/* One option for each key of settings_table. */
const struct argp *options_settings(void);

/* Defaults, then the file, then the environment, then the options. */
int options_make_settings(const struct options *options, struct settings *settings,
			  struct err *err);

/* The pin directory alone, for commands that need nothing else. */
int options_find_pin_dir(const struct options *options, char pin_dir[PIN_DIR_MAX], struct err *err);

/* For a command without arguments of its own: parses, and finds the pin directory. */
int options_parse_simple(int argc, char **argv, const char *doc, struct options *options,
			 char pin_dir[PIN_DIR_MAX], struct err *err);

#endif
