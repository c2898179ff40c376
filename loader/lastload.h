/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How a NAT was loaded, in the run directory: the words of the last `natxdp
 * load`, so that `reload` and `verify` know what was asked for, and the
 * settings that came of them, for the watcher. Each file is replaced in one
 * step, and gone after a reboot, as the NAT is.
 */
#ifndef NATXDP_LASTLOAD_H
#define NATXDP_LASTLOAD_H

#include <net/if.h>
#include <stddef.h>

struct err;
struct settings;

struct lastload {
	int argc;
	char **argv; /* argv[0] is "load"; ends with NULL */
};

/* The path behind --config is made absolute, and --pin-dir is added. */
int lastload_write(const struct settings *settings, const char *iface, int argc, char **argv,
		   struct err *err);

/* STATUS_STATE if there is none. Free it with lastload_free(). */
int lastload_read(struct lastload *last, const char *pin_dir, struct err *err);

/* The settings and the outside interface of the last load, whatever the files say now. */
int lastload_read_settings(struct settings *settings, char iface[IFNAMSIZ], const char *pin_dir,
			   struct err *err);

/* Why hook = auto took TC; empty where it did not. */
int lastload_write_why(const char *pin_dir, const char *why, struct err *err);
void lastload_read_why(const char *pin_dir, char why[], size_t size);

void lastload_free(struct lastload *last);
void lastload_forget(const char *pin_dir);

#endif
