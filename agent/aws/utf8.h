/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Text from outside may hold any bytes; JSON holds UTF-8 only. */
#ifndef NATXDP_AWS_UTF8_H
#define NATXDP_AWS_UTF8_H

#include <stddef.h>

/*
 * The length of the UTF-8 character at @text, or 0 if it is none: Unicode 15,
 * table 3-7 (no surrogates, no longer forms than needed, nothing past 10FFFF).
 */
size_t aws_utf8_length(const unsigned char *text, size_t left);

/* Makes a question mark of each byte that is part of no character. */
void aws_utf8_mend(char *text);

#endif
