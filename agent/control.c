/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "control.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "err.h"
#include "loop.h"
#include "rundir.h"

enum { CLIENTS_MAX = 8, LINE_MAX_LEN = 4096 };

struct client {
	struct control *control;
	int fd; /* -1: free */
	size_t len;
	char line[LINE_MAX_LEN];
};

struct control {
	struct loop *loop;
	control_answer answer;
	void *ctx;
	int fd;
	struct client client[CLIENTS_MAX];
};

static void hang_up(struct client *client)
{
	loop_watch(client->control->loop, client->fd, 0, NULL, NULL);
	close(client->fd);
	client->fd = -1;
	client->len = 0;
}

/* What does not fit into the socket at once is lost: answers are short, and read at once. */
static void serve(struct client *client, const char *line, size_t len)
{
	cJSON *request = cJSON_ParseWithLength(line, len);
	cJSON *reply = client->control->answer(client->control->ctx, request);
	char *text = reply ? cJSON_PrintUnformatted(reply) : NULL;

	if (text) {
		(void)!send(client->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)!send(client->fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	free(text);
	cJSON_Delete(reply);
	cJSON_Delete(request);
}

static void readable(void *ctx, int fd, uint32_t events)
{
	struct client *client = ctx;
	char *end;
	ssize_t len = recv(fd, client->line + client->len, LINE_MAX_LEN - client->len,
			   MSG_DONTWAIT);

	(void)events;
	if (len <= 0) {
		if (len == 0 || errno != EAGAIN)
			hang_up(client);
		return;
	}
	client->len += len;
	while ((end = memchr(client->line, '\n', client->len))) {
		serve(client, client->line, end - client->line);
		client->len -= end + 1 - client->line;
		memmove(client->line, end + 1, client->len);
	}
	if (client->len == LINE_MAX_LEN)
		hang_up(client);
}

static void on_connect(void *ctx, int fd, uint32_t events)
{
	struct control *control = ctx;
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	for (int i = 0; got >= 0 && i < CLIENTS_MAX; i++) {
		struct client *client = &control->client[i];

		if (client->fd >= 0)
			continue;
		if (loop_watch(control->loop, got, EPOLLIN, readable, client))
			break;
		client->fd = got;
		return;
	}
	if (got >= 0)
		close(got);
}

static int open_socket(const char *pin_dir, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[RUN_PATH_MAX];
	int fd, ret = rundir_make();

	rundir_path(path, pin_dir, "agent");
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, STATUS_CONFIG, ENAMETOOLONG,
			       "%s: too long for a socket: choose a shorter pin_dir", path);
	strcpy(addr.sun_path, path);
	fd = ret ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path); /* of an agent before us */
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || chmod(path, 0600) ||
	    listen(fd, CLIENTS_MAX)) {
		ret = err_set(err, STATUS_SYSTEM, errno, "%s: cannot listen there: %s", path,
			      strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	return fd;
}

struct control *control_open(struct loop *loop, const char *pin_dir, control_answer answer,
			     void *ctx, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	control->loop = loop;
	control->answer = answer;
	control->ctx = ctx;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		control->client[i].control = control;
		control->client[i].fd = -1;
	}
	control->fd = open_socket(pin_dir, err);
	if (control->fd >= 0 && !loop_watch(loop, control->fd, EPOLLIN, on_connect, control))
		return control;
	control_close(control);
	return NULL;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		if (control->client[i].fd >= 0)
			hang_up(&control->client[i]);
	}
	if (control->fd >= 0) {
		loop_watch(control->loop, control->fd, 0, NULL, NULL);
		close(control->fd);
	}
	free(control);
}
