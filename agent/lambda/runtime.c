/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "runtime.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/utf8.h"
#include "err.h"

enum {
	URL_MAX = 512,
	EVENT_MAX = 6 * 1024 * 1024, /* the service's own limit */
};

struct runtime {
	CURL *curl;
	char base[URL_MAX]; /* http://API/2018-06-01/runtime */
	char *body;
	size_t length, room;
	char request[RUNTIME_REQUEST_MAX];
	int64_t deadline_ms;
};

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
	struct runtime *runtime = ctx;
	size_t length = size * count, wanted = runtime->length + length + 1;

	if (wanted > EVENT_MAX)
		return 0;
	if (wanted > runtime->room) {
		char *larger = realloc(runtime->body, wanted * 2);

		if (!larger)
			return 0;
		runtime->body = larger;
		runtime->room = wanted * 2;
	}
	memcpy(runtime->body + runtime->length, data, length);
	runtime->length += length;
	runtime->body[runtime->length] = '\0';
	return length;
}

/* The value of a header line, if it is that of @name; NULL if not. */
static const char *header_value(const char *line, size_t length, const char *name, size_t *size)
{
	size_t skip = strlen(name) + 1;

	if (length < skip || strncasecmp(line, name, skip - 1) || line[skip - 1] != ':')
		return NULL;
	while (skip < length && line[skip] == ' ')
		skip++;
	*size = length - skip;
	while (*size && (line[skip + *size - 1] == '\r' || line[skip + *size - 1] == '\n'))
		--*size;
	return line + skip;
}

static size_t take_header(char *line, size_t size, size_t count, void *ctx)
{
	struct runtime *runtime = ctx;
	size_t length = size * count, found;
	const char *value;
	char number[24];

	value = header_value(line, length, "Lambda-Runtime-Aws-Request-Id", &found);
	if (value && found < sizeof(runtime->request)) {
		memcpy(runtime->request, value, found);
		runtime->request[found] = '\0';
	}
	value = header_value(line, length, "Lambda-Runtime-Deadline-Ms", &found);
	if (value && found < sizeof(number)) {
		memcpy(number, value, found);
		number[found] = '\0';
		runtime->deadline_ms = strtoll(number, NULL, 10);
	}
	return length;
}

struct runtime *runtime_open(const char *api, struct err *err)
{
	struct runtime *runtime = calloc(1, sizeof(*runtime));

	if (runtime)
		runtime->curl = curl_easy_init();
	if (!runtime || !runtime->curl ||
	    snprintf(runtime->base, URL_MAX, "http://%s/2018-06-01/runtime", api) >= URL_MAX) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "the runtime API at %.80s: out of memory", api);
		runtime_close(runtime);
		return NULL;
	}
	curl_easy_setopt(runtime->curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(runtime->curl, CURLOPT_WRITEDATA, runtime);
	curl_easy_setopt(runtime->curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(runtime->curl, CURLOPT_HEADERDATA, runtime);
	curl_easy_setopt(runtime->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(runtime->curl, CURLOPT_NOSIGNAL, 1L);
	return runtime;
}

void runtime_close(struct runtime *runtime)
{
	if (!runtime)
		return;
	curl_easy_cleanup(runtime->curl);
	free(runtime->body);
	free(runtime);
}

/* One exchange; @body NULL: GET. */
static int exchange(struct runtime *runtime, const char *path, const char *body,
		    const char *error_type, struct err *err)
{
	struct curl_slist *headers = NULL;
	char url[URL_MAX], header[96];
	long status = 0;
	CURLcode code;

	if (snprintf(url, sizeof(url), "%s%s", runtime->base, path) >= URL_MAX)
		return err_set(err, STATUS_SYSTEM, ENAMETOOLONG, "the runtime API: path too long");
	runtime->length = 0;
	curl_easy_setopt(runtime->curl, CURLOPT_URL, url);
	curl_easy_setopt(runtime->curl, CURLOPT_HTTPGET, 1L);
	if (body) {
		curl_easy_setopt(runtime->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
		curl_easy_setopt(runtime->curl, CURLOPT_POSTFIELDS, body);
		headers = curl_slist_append(headers, "Content-Type: application/json");
		headers = curl_slist_append(headers, "Expect:");
	}
	if (error_type) {
		snprintf(header, sizeof(header), "Lambda-Runtime-Function-Error-Type: %s",
			 error_type);
		headers = curl_slist_append(headers, header);
	}
	curl_easy_setopt(runtime->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(runtime->curl);
	curl_easy_getinfo(runtime->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_setopt(runtime->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code)
		return err_set(err, STATUS_SYSTEM, EIO, "the runtime API, %s: %s", path,
			       curl_easy_strerror(code));
	if (status < 200 || status > 299)
		return err_set(err, STATUS_SYSTEM, EIO, "the runtime API, %s: HTTP status %ld",
			       path, status);
	return 0;
}

int runtime_next(struct runtime *runtime, struct runtime_event *event, struct err *err)
{
	int ret;

	*runtime->request = '\0';
	runtime->deadline_ms = 0;
	ret = exchange(runtime, "/invocation/next", NULL, NULL, err);
	if (ret)
		return ret;
	if (!*runtime->request || runtime->deadline_ms <= 0)
		return err_set(err, STATUS_SYSTEM, EPROTO,
			       "the runtime API: an event without request id or deadline");
	snprintf(event->request, sizeof(event->request), "%s", runtime->request);
	event->deadline_ms = runtime->deadline_ms;
	event->body = runtime->length ? runtime->body : "";
	return 0;
}

int runtime_answer(struct runtime *runtime, const struct runtime_event *event, const char *json,
		   struct err *err)
{
	char path[RUNTIME_REQUEST_MAX + 32];

	snprintf(path, sizeof(path), "/invocation/%s/response", event->request);
	return exchange(runtime, path, json, NULL, err);
}

static int send_error(struct runtime *runtime, const char *path, const char *type,
		      const char *message, struct err *err)
{
	cJSON *error = cJSON_CreateObject();
	char *text;
	int ret;

	cJSON_AddStringToObject(error, "errorType", type);
	cJSON_AddStringToObject(error, "errorMessage", message);
	cJSON_AddArrayToObject(error, "stackTrace");
	text = cJSON_PrintUnformatted(error);
	cJSON_Delete(error);
	if (!text)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	aws_utf8_mend(text);
	ret = exchange(runtime, path, text, type, err);
	cJSON_free(text);
	return ret;
}

int runtime_fail(struct runtime *runtime, const struct runtime_event *event, const char *type,
		 const char *message, struct err *err)
{
	char path[RUNTIME_REQUEST_MAX + 32];

	snprintf(path, sizeof(path), "/invocation/%s/error", event->request);
	return send_error(runtime, path, type, message, err);
}

int runtime_fail_init(struct runtime *runtime, const char *type, const char *message,
		      struct err *err)
{
	return send_error(runtime, "/init/error", type, message, err);
}
