/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "imds.h"
#include "retry.h"

#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"

enum {
	FAILED_MS = 1000, /* the first pause after a load that failed */
	FAILED_MAX_MS = 60 * 1000,
	STALE_MS = 60 * 1000, /* pause after one that brought what expires at once */
	DOCUMENT_MAX = 16 * 1024,
	CONTAINER_TIMEOUT_MS = 2000,
};

enum source { SOURCE_ENVIRONMENT, SOURCE_CONTAINER, SOURCE_IMDS };

struct aws_provider {
	struct aws_timers *timers;
	struct aws_http *http;
	struct aws_imds *imds;
	aws_provider_changed changed;
	void *ctx;
	enum source source;
	bool have;
	bool loading;
	struct aws_credentials credentials;
	int64_t load_after_ms; /* no load before */
	unsigned int failures; /* since the last success */
	struct aws_timer timer;
	int64_t read; /* of imds; 0: none */
	struct aws_exchange *exchange;
};

static void ended(struct aws_provider *provider, const char *problem)
{
	struct aws_timers *timers = provider->timers;
	const struct aws_credentials *credentials = &provider->credentials;
	int64_t pause = 0;

	provider->loading = false;
	if (problem) {
		pause = aws_backoff_ms(provider->failures++, AWS_UNREACHABLE, FAILED_MS,
				       FAILED_MAX_MS);
		/* not all instances of a fleet at the same time */
		pause = pause / 2 + aws_random_upto(timers, pause / 2);
	} else {
		provider->failures = 0;
		if (credentials->expires_ms &&
		    credentials->expires_ms - aws_wall_ms(timers) <= AWS_REFRESH_EARLY_MS)
			pause = STALE_MS;
	}
	provider->load_after_ms = aws_now_ms(timers) + pause;
	provider->changed(provider->ctx, problem, provider->have);
}

static void take(struct aws_provider *provider, const char *text, size_t length)
{
	int err = aws_credentials_parse(text, length, &provider->credentials);

	if (err == -ENOENT)
		return ended(provider, "the source of credentials has none");
	if (err)
		return ended(provider, "the credentials are not what was expected");
	provider->have = true;
	ended(provider, NULL);
}

static void on_role_credentials(void *ctx, const struct aws_document *document)
{
	struct aws_provider *provider = ctx;

	provider->read = 0;
	if (document->fault != AWS_OK)
		ended(provider, document->message);
	else if (document->status != 200)
		ended(provider, "the instance's role has no credentials");
	else
		take(provider, document->text, document->length);
}

static void read_imds(struct aws_provider *provider, const char *path, aws_imds_done done)
{
	int64_t read = aws_imds_get(provider->imds, path, 0, done, provider);

	if (read > 0)
		provider->read = read;
	else if (read == -ENOTSUP)
		ended(provider, "no credentials in the environment, and IMDS is switched off");
	else
		ended(provider, "instance metadata: too many reads at a time");
}

static void on_role_name(void *ctx, const struct aws_document *document)
{
	struct aws_provider *provider = ctx;
	char path[160];
	int length;

	provider->read = 0;
	if (document->fault != AWS_OK)
		return ended(provider, document->message);
	if (document->status != 200)
		return ended(provider, "the instance has no role");
	/* IAM's names have at most 64 of these characters */
	length = (int)strspn(document->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					     "0123456789+=,.@_-");
	if (!length || length > 64)
		return ended(provider, "the name of the instance's role is none");
	snprintf(path, sizeof(path), ROLE_PATH "%.*s", length, document->text);
	read_imds(provider, path, on_role_credentials);
}

static void on_container_credentials(void *ctx, const struct aws_http_answer *answer)
{
	struct aws_provider *provider = ctx;

	provider->exchange = NULL;
	if (answer->error)
		ended(provider, answer->message);
	else if (answer->status != 200)
		ended(provider, "the container credentials endpoint refused");
	else
		take(provider, answer->body, answer->length);
}

/* Writes "Authorization: ..." as the environment says; "" if it says nothing. */
static void authorization(char *header, size_t size)
{
	const char *path = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	char text[4096] = "";
	FILE *file;

	header[0] = 0;
	if (path && *path) {
		/* EKS writes a new one from time to time */
		file = fopen(path, "re");
		if (file) {
			text[fread(text, 1, sizeof(text) - 1, file)] = 0;
			fclose(file);
		}
		token = text;
	}
	if (token && *token)
		snprintf(header, size, "Authorization: %.*s", (int)strcspn(token, "\r\n"), token);
}

static void read_container(struct aws_provider *provider)
{
	const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	char url[AWS_HTTP_URL_MAX], header[4096 + 32];
	struct aws_http_request request = {
		.method = "GET",
		.url = url,
		.connect_ms = CONTAINER_TIMEOUT_MS,
		.timeout_ms = CONTAINER_TIMEOUT_MS,
		.answer_max = DOCUMENT_MAX,
		.direct = true,
	};

	if (relative && *relative)
		snprintf(url, sizeof(url), "http://169.254.170.2%s", relative);
	else
		snprintf(url, sizeof(url), "%s", full ? full : "");
	authorization(header, sizeof(header));
	request.headers[0] = header[0] ? header : NULL;
	provider->exchange = aws_http_start(provider->http, &request, on_container_credentials,
					    provider);
	if (!provider->exchange)
		ended(provider, "out of memory");
}

static void start(void *owner)
{
	struct aws_provider *provider = owner;

	if (provider->source == SOURCE_CONTAINER)
		read_container(provider);
	else
		read_imds(provider, ROLE_PATH, on_role_name);
}

/* Not before the pause is over; and never at once, since it may fail at once. */
static void load(struct aws_provider *provider)
{
	int64_t pause = provider->load_after_ms - aws_now_ms(provider->timers);

	provider->loading = true;
	aws_timer_start(provider->timers, &provider->timer, pause > 0 ? pause : 0, start, provider);
}

const struct aws_credentials *aws_provider_get(struct aws_provider *provider)
{
	bool paused = provider->load_after_ms > aws_now_ms(provider->timers);
	struct aws_credentials_plan plan;

	if (provider->source == SOURCE_ENVIRONMENT)
		return &provider->credentials;
	plan = aws_credentials_plan(provider->have, provider->credentials.expires_ms,
				    aws_wall_ms(provider->timers), !paused || !provider->have);
	if (plan.load && !provider->loading)
		load(provider);
	return plan.use ? &provider->credentials : NULL;
}

bool aws_provider_expired(struct aws_provider *provider, const char *key)
{
	if (provider->source == SOURCE_ENVIRONMENT)
		return false;
	if (strcmp(provider->credentials.key, key) == 0) {
		provider->credentials.expires_ms = 1; /* in 1970 */
		if (!provider->failures)
			provider->load_after_ms = 0;
	}
	return true;
}

static void from_environment(struct aws_provider *provider, const char *key, const char *secret)
{
	const char *token = getenv("AWS_SESSION_TOKEN");
	struct aws_credentials *credentials = &provider->credentials;

	snprintf(credentials->key, sizeof(credentials->key), "%s", key);
	snprintf(credentials->secret, sizeof(credentials->secret), "%s", secret);
	snprintf(credentials->token, sizeof(credentials->token), "%s", token ? token : "");
	provider->have = true;
	provider->source = SOURCE_ENVIRONMENT;
}

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

struct aws_provider *aws_provider_new(struct aws_timers *timers, struct aws_http *http,
				      struct aws_imds *imds, aws_provider_changed changed,
				      void *ctx)
{
	struct aws_provider *provider = calloc(1, sizeof(*provider));

	if (!provider)
		return NULL;
	provider->timers = timers;
	provider->http = http;
	provider->imds = imds;
	provider->changed = changed;
	provider->ctx = ctx;
	if (is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY"))
		from_environment(provider, getenv("AWS_ACCESS_KEY_ID"),
				 getenv("AWS_SECRET_ACCESS_KEY"));
	else if (is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
		 is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
		provider->source = SOURCE_CONTAINER;
	else
		provider->source = SOURCE_IMDS;
	return provider;
}

void aws_provider_free(struct aws_provider *provider)
{
	if (!provider)
		return;
	if (provider->read)
		aws_imds_cancel(provider->imds, provider->read);
	if (provider->exchange)
		aws_http_cancel(provider->exchange);
	aws_timer_stop(provider->timers, &provider->timer);
	explicit_bzero(&provider->credentials, sizeof(provider->credentials));
	free(provider);
}
