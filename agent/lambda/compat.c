/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * provided.al2023 has glibc 2.34. Debian's libexpat.a was built where there is
 * arc4random_buf(), which came with 2.36: this one takes its place.
 */
#include <stdlib.h>
#include <sys/random.h>

void arc4random_buf(void *buffer, size_t size);

void arc4random_buf(void *buffer, size_t size)
{
	unsigned char *at = buffer;

	while (size) {
		ssize_t got = getrandom(at, size, 0);

		if (got <= 0)
			abort(); /* there is no such kernel */
		at += got;
		size -= got;
	}
}
