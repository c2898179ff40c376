/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What `natxdp status` and the JSON of `load` show. */
#ifndef NATXDP_STATUS_H
#define NATXDP_STATUS_H

#include <stdbool.h>

struct err;

/* Prints. STATUS_NOT_LOADED if nothing is there, STATUS_STATE if only remains. */
int status_show(const char *pin_dir, bool json, struct err *err);

#endif
