/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One-line messages for people: to stderr, or to syslog for the watcher. */
#ifndef NATXDP_LOG_H
#define NATXDP_LOG_H

#include <stdbool.h>

/* Also routes what libbpf says: to stderr if @verbose, else nowhere. */
void log_init(bool verbose);
void log_to_syslog(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
