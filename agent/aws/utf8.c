/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "utf8.h"

#include <string.h>

size_t aws_utf8_length(const unsigned char *text, size_t left)
{
	unsigned char first = text[0], low = 0x80, high = 0xbf;
	size_t length, i;

	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (left < length)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (text[1] < low || text[1] > high)
		return 0;
	for (i = 2; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

void aws_utf8_mend(char *text)
{
	size_t left = strlen(text), length;

	for (; left; left -= length, text += length) {
		length = aws_utf8_length((const unsigned char *)text, left);
		if (!length) {
			*text = '?';
			length = 1;
		}
	}
}
