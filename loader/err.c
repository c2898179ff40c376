/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int err_set(struct err *err, enum exit_status status, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	err->status = status;
	return error ? -abs(error) : -EINVAL;
}
