/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What every unit test includes: cmocka wants these headers before its own. */
#ifndef NATXDP_UNIT_H
#define NATXDP_UNIT_H

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

#endif
