/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "http.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t skew_ms;

void aws_clock_correct(int64_t new_skew_ms)
{
	atomic_store(&skew_ms, new_skew_ms);
}

/*
 * In place of libc's, for libcurl: it dates its signatures by time(). Giving it
 * a date by an X-Amz-Date header does not work before 8.3.0, which sends such
 * a header twice (curl issue 11738), so that what is signed is not what
 * arrives; Debian 12 has 7.88. Until AWS has said that the clock is wrong the
 * correction is 0. Our own code reads clocks by clock_gettime().
 */
time_t time(time_t *result)
{
	struct timespec now;
	time_t corrected;

	clock_gettime(CLOCK_REALTIME, &now);
	corrected = now.tv_sec;
	corrected += (time_t)((now.tv_nsec / 1000000 + atomic_load(&skew_ms)) / 1000);
	if (result)
		*result = corrected;
	return corrected;
}
