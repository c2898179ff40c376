/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "body.h"
#include "utf8.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void aws_body_free(struct aws_body *body)
{
	free(body->data);
	*body = (struct aws_body){ 0 };
}

/* Returns where @length bytes may be written, or NULL and the error is kept. */
static char *reserve(struct aws_body *body, size_t length)
{
	size_t needed = body->length + length;
	size_t room = body->room ? body->room : 1024;
	char *grown;

	if (body->error)
		return NULL;
	if (length > AWS_BODY_MAX || needed > AWS_BODY_MAX) {
		body->error = -EMSGSIZE;
		return NULL;
	}
	while (room < needed)
		room *= 2;
	if (room != body->room) {
		grown = realloc(body->data, room);
		if (!grown) {
			body->error = -ENOMEM;
			return NULL;
		}
		body->data = grown;
		body->room = room;
	}
	return body->data + body->length;
}

void aws_body_add(struct aws_body *body, const char *data, size_t length)
{
	char *place = reserve(body, length);

	if (!place || !length)
		return;
	memcpy(place, data, length);
	body->length += length;
}

void aws_body_add_text(struct aws_body *body, const char *text)
{
	aws_body_add(body, text, strlen(text));
}

/* Writes one character of @text to @to (up to 6 bytes); returns how many bytes it took. */
static size_t escape_character(const unsigned char *text, size_t left, char *to, size_t *written)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = aws_utf8_length(text, left);

	if (!length) {
		memcpy(to, "\\ufffd", 6);
		*written = 6;
		return 1;
	}
	if (text[0] < 0x20) {
		memcpy(to, "\\u00", 4);
		to[4] = digits[text[0] >> 4];
		to[5] = digits[text[0] & 15];
		*written = 6;
		return 1;
	}
	if (text[0] == '"' || text[0] == '\\') {
		to[0] = '\\';
		to[1] = (char)text[0];
		*written = 2;
		return 1;
	}
	memcpy(to, text, length);
	*written = length;
	return length;
}

/* Flow records come by the ten thousands a second: whole blocks, and no printf. */
void aws_body_add_json_string(struct aws_body *body, const char *text, size_t length)
{
	const unsigned char *at = (const unsigned char *)text;
	char block[512];
	size_t used = 1, written, i = 0;

	block[0] = '"';
	while (i < length) {
		if (used + 6 > sizeof(block)) {
			aws_body_add(body, block, used);
			used = 0;
		}
		if (at[i] >= 0x20 && at[i] < 0x80 && at[i] != '"' && at[i] != '\\') {
			block[used++] = (char)at[i++];
		} else {
			i += escape_character(at + i, length - i, block + used, &written);
			used += written;
		}
	}
	aws_body_add(body, block, used);
	aws_body_add(body, "\"", 1);
}

void aws_body_add_json(struct aws_body *body, struct cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object);

	if (text)
		aws_body_add_text(body, text);
	else if (!body->error)
		body->error = -ENOMEM;
	cJSON_free(text);
	cJSON_Delete(object);
}

void aws_body_gzip(struct aws_body *body)
{
	z_stream stream = { .next_in = (Bytef *)body->data, .avail_in = (uInt)body->length };
	uLong bound;
	char *packed = NULL;

	if (body->error)
		return;
	/* + 16: with a gzip head */
	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		body->error = -ENOMEM;
		return;
	}
	bound = deflateBound(&stream, body->length);
	packed = malloc(bound);
	stream.next_out = (Bytef *)packed;
	stream.avail_out = (uInt)bound;
	if (packed && deflate(&stream, Z_FINISH) == Z_STREAM_END) {
		free(body->data);
		body->data = packed;
		body->room = bound;
		body->length = stream.total_out;
		body->gzip = true;
	} else {
		free(packed);
		body->error = -ENOMEM;
	}
	deflateEnd(&stream);
}

/* RFC 3986, 2.3: everything but the unreserved characters. */
static void add_escaped(struct aws_body *body, const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	while (*text) {
		size_t plain = strspn(text, unreserved);
		char escape[4];

		aws_body_add(body, text, plain);
		text += plain;
		if (*text) {
			snprintf(escape, sizeof(escape), "%%%02X", (unsigned char)*text++);
			aws_body_add(body, escape, 3);
		}
	}
}

static void form_add(struct aws_body *body, const char *value, const char *name, va_list args)
{
	char text[128];

	vsnprintf(text, sizeof(text), name, args);
	if (body->length)
		aws_body_add(body, "&", 1);
	aws_body_add_text(body, text);
	aws_body_add(body, "=", 1);
	add_escaped(body, value);
}

void aws_form_add(struct aws_body *body, const char *value, const char *name, ...)
{
	va_list args;

	if (!value)
		return;
	va_start(args, name);
	form_add(body, value, name, args);
	va_end(args);
}

void aws_form_add_number(struct aws_body *body, double value, const char *name, ...)
{
	char text[32];
	va_list args;

	/* 17 digits say exactly which double it is; most need none after the point. */
	snprintf(text, sizeof(text), floor(value) == value ? "%.0f" : "%.17g", value);
	if (fabs(value) >= 1e15)
		snprintf(text, sizeof(text), "%.17g", value);
	va_start(args, name);
	form_add(body, text, name, args);
	va_end(args);
}

void aws_form_add_bool(struct aws_body *body, bool value, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	form_add(body, value ? "true" : "false", name, args);
	va_end(args);
}
