/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doc.h"

int64_t aws_parse_time(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!rest)
		return 0;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

/* A control character would end the header that it is sent in. */
static bool copy_printable(char *to, size_t size, const char *from)
{
	size_t i, length = strlen(from);

	if (length >= size)
		return false;
	for (i = 0; i < length; i++) {
		if (from[i] <= ' ' || from[i] > '~')
			return false;
	}
	memcpy(to, from, length + 1);
	return true;
}

static int read_document(const cJSON *document, struct aws_credentials *credentials)
{
	const char *code = aws_doc_text(document, "Code");
	const char *expiration = aws_doc_text(document, "Expiration");

	if (*code && strcmp(code, "Success") != 0)
		return -ENOENT;
	if (!copy_printable(credentials->key, sizeof(credentials->key),
			    aws_doc_text(document, "AccessKeyId")) ||
	    !copy_printable(credentials->secret, sizeof(credentials->secret),
			    aws_doc_text(document, "SecretAccessKey")) ||
	    !copy_printable(credentials->token, sizeof(credentials->token),
			    aws_doc_text(document, "Token")))
		return -EBADMSG;
	if (!*credentials->key || !*credentials->secret)
		return -EBADMSG;
	if (*expiration) {
		credentials->expires_ms = aws_parse_time(expiration);
		if (!credentials->expires_ms)
			return -EBADMSG;
	}
	return 0;
}

int aws_credentials_parse(const char *text, size_t length, struct aws_credentials *credentials)
{
	struct aws_credentials read = { 0 };
	cJSON *document = aws_json_parse(text, length);
	int err = cJSON_IsObject(document) ? read_document(document, &read) : -EBADMSG;

	cJSON_Delete(document);
	if (!err)
		*credentials = read;
	explicit_bzero(&read, sizeof(read));
	return err;
}

struct aws_credentials_plan aws_credentials_plan(bool have, int64_t expires_ms, int64_t wall_ms,
						 bool may_load)
{
	struct aws_credentials_plan plan = { .use = have };
	int64_t left = expires_ms - wall_ms;

	if (have && (!expires_ms || left > AWS_REFRESH_EARLY_MS))
		return plan;
	plan.load = may_load;
	/*
	 * Those that have expired by our clock are used while there are no
	 * others: AWS prolongs them when it cannot give out new ones, and our
	 * clock may be wrong.
	 */
	if (have && may_load && left <= AWS_REFRESH_LATE_MS)
		plan.use = false;
	return plan;
}
