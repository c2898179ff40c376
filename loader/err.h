/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How a failure travels: the function that knows what went wrong writes one
 * sentence and an exit status into struct err and returns -errno; main()
 * prints the sentence and exits with the status. Nobody in between logs it.
 */
#ifndef NATXDP_ERR_H
#define NATXDP_ERR_H

/* The exit statuses of natxdp(8). */
enum exit_status {
	STATUS_OK,
	STATUS_USAGE,
	STATUS_CONFIG,
	STATUS_PERMISSION,
	STATUS_INTERFACE,
	STATUS_KERNEL,
	STATUS_STATE,
	STATUS_NOT_LOADED,
	STATUS_SYSTEM,
	STATUS_DRIFT,
	STATUS_BROKEN,
};

struct err {
	enum exit_status status;
	char text[768];
};

/* Returns -|error|, so that a caller can `return err_set(...)`. */
int err_set(struct err *err, enum exit_status status, int error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
