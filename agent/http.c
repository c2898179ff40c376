/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent.h"
#include "err.h"
#include "openmetrics.h"
#include "status_json.h"

enum {
	CONNECTIONS_MAX = 32,
	CONNECTION_TIMEOUT_S = 10,
	CONNECTION_MEMORY = 8192, /* of headers: what asks for more is no health check */
	PEM_MAX = 256 * 1024,
};

struct http {
	struct agent *agent;
	struct MHD_Daemon *daemon;
	int epoll;
	int timer;
	char *cert, *key;
};

/* Returns the HTTP status. */
static unsigned int write_page(const struct agent *agent, const char *url, const char *accept,
			       const char **type, FILE *out)
{
	bool openmetrics = accept && strstr(accept, "application/openmetrics-text");
	const char *fault;

	*type = "text/plain; charset=utf-8";
	if (!strcmp(url, "/metrics")) {
		*type = openmetrics ? OPENMETRICS_TYPE : PROMETHEUS_TYPE;
		openmetrics_write(agent, openmetrics, out);
		return MHD_HTTP_OK;
	}
	if (!strcmp(url, "/status")) {
		*type = "application/json";
		status_json_write(agent, out);
		return MHD_HTTP_OK;
	}
	if (strcmp(url, "/healthz") && strcmp(url, "/readyz")) {
		fputs("there are /metrics, /healthz, /readyz and /status\n", out);
		return MHD_HTTP_NOT_FOUND;
	}
	fault = !strcmp(url, "/healthz") ? health_fault(&agent->health) :
					   health_unready(&agent->health);
	fprintf(out, "%s\n", fault ? fault : "ok");
	return fault ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
}

/* Whatever comes with it is not read: the connection ends. */
static enum MHD_Result refuse_method(struct MHD_Connection *connection)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL,
									MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, MHD_HTTP_METHOD_NOT_ALLOWED, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **request)
{
	struct http *http = ctx;
	struct MHD_Response *response;
	enum MHD_Result result;
	const char *type;
	unsigned int status;
	size_t size = 0;
	char *text = NULL;
	FILE *out;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)request;
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return refuse_method(connection);
	out = open_memstream(&text, &size);
	if (!out)
		return MHD_NO;
	status = write_page(http->agent, url,
			    MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept"),
			    &type, out);
	fclose(out);
	response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static void run(void *ctx)
{
	struct http *http = ctx;
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(http->daemon);
	/* idle connections are to end in time */
	loop_timer_once(http->timer,
			MHD_get_timeout(http->daemon, &ms) == MHD_YES ? (int64_t)ms : -1);
}

static void ready(void *ctx, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	run(ctx);
}

static char *read_pem(const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size;

	if (!file) {
		err_set(err, STATUS_CONFIG, errno, "%s: cannot read: %s", path, strerror(errno));
		return NULL;
	}
	text = calloc(1, PEM_MAX);
	size = text ? fread(text, 1, PEM_MAX - 1, file) : 0;
	fclose(file);
	if (size)
		return text;
	free(text);
	err_set(err, STATUS_CONFIG, EINVAL, "%s: empty", path);
	return NULL;
}

static int parse_listen(const char *text, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *in6 = (void *)addr;
	struct sockaddr_in *in = (void *)addr;
	char host[CONF_TEXT_MAX];
	uint16_t port;

	memset(addr, 0, sizeof(*addr));
	if (conf_split_address(text, host, &port))
		return -EINVAL;
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return 0;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1 ? 0 : -EINVAL;
}

static int start_daemon(struct http *http, const struct conf *conf)
{
	struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_MEM_CERT, 0, http->cert },
					{ MHD_OPTION_HTTPS_MEM_KEY, 0, http->key },
					{ MHD_OPTION_END, 0, NULL } };
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
	unsigned int flags = MHD_USE_EPOLL;
	struct sockaddr_storage addr;

	if (parse_listen(conf->http_listen, &addr))
		return -EINVAL;
	if (addr.ss_family == AF_INET6)
		flags |= MHD_USE_DUAL_STACK;
	if (http->cert)
		flags |= MHD_USE_TLS;
	errno = 0;
	http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, http, MHD_OPTION_SOCK_ADDR,
					&addr, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
					MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S,
					MHD_OPTION_CONNECTION_MEMORY_LIMIT,
					(size_t)CONNECTION_MEMORY * (http->cert ? 4 : 1),
					MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_ARRAY,
					http->cert ? tls : none, MHD_OPTION_END);
	return http->daemon ? 0 : -(errno ? errno : EINVAL);
}

struct http *http_start(struct agent *agent, struct err *err)
{
	const struct conf *conf = &agent->conf;
	struct http *http = calloc(1, sizeof(*http));
	int ret;

	if (!http) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	http->agent = agent;
	http->timer = -1;
	if (*conf->http_cert) {
		http->cert = read_pem(conf->http_cert, err);
		http->key = http->cert ? read_pem(conf->http_key, err) : NULL;
		if (!http->key)
			goto fail;
	}
	ret = start_daemon(http, conf);
	if (ret) {
		err_set(err, STATUS_SYSTEM, ret, "http_listen = %s: cannot serve there: %s",
			conf->http_listen, strerror(-ret));
		goto fail;
	}
	http->epoll = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	http->timer = loop_timer(agent->loop, run, http);
	if (http->timer >= 0 && !loop_watch(agent->loop, http->epoll, EPOLLIN, ready, http))
		return http;
	err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory or descriptors");
fail:
	http_stop(http);
	return NULL;
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	if (http->daemon) {
		loop_watch(http->agent->loop, http->epoll, 0, NULL, NULL);
		MHD_stop_daemon(http->daemon);
	}
	loop_timer_free(http->agent->loop, http->timer);
	free(http->cert);
	if (http->key)
		explicit_bzero(http->key, strlen(http->key));
	free(http->key);
	free(http);
}
