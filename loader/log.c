/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "log.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <xdp/libxdp.h>

static bool use_syslog;
static bool is_verbose;

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (!is_verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, fmt, args);
}

static int print_libxdp(enum libxdp_print_level level, const char *fmt, va_list args)
{
	if (!is_verbose || level == LIBXDP_DEBUG)
		return 0;
	return vfprintf(stderr, fmt, args);
}

static void message(int priority, const char *fmt, va_list args)
{
	if (use_syslog) {
		vsyslog(priority, fmt, args);
		return;
	}
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void log_init(bool verbose)
{
	is_verbose = verbose;
	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
}

void log_to_syslog(void)
{
	openlog(program_invocation_short_name, LOG_PID, LOG_DAEMON);
	use_syslog = true;
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(LOG_ERR, fmt, args);
	va_end(args);
}

void log_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(LOG_NOTICE, fmt, args);
	va_end(args);
}
