/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ask.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "err.h"
#include "rundir.h"

enum { REPLY_MAX = 65536, PATIENCE_S = 10 };

cJSON *ask_request(const char *command)
{
	cJSON *request = cJSON_CreateObject();

	cJSON_AddStringToObject(request, "command", command);
	return request;
}

static int connect_to(const char *pin_dir, struct err *err)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[RUN_PATH_MAX];
	int fd;

	rundir_path(path, pin_dir, "agent");
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, STATUS_CONFIG, ENAMETOOLONG, "%s: too long for a socket", path);
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
	    !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	if (errno == EACCES)
		err_set(err, STATUS_PERMISSION, EACCES, "%s: only root may ask the agent", path);
	else
		err_set(err, STATUS_STATE, errno, "%s: no agent answers there: is natxdpd running?",
			path);
	if (fd >= 0)
		close(fd);
	return -ENOTCONN;
}

/* Returns the length of the line, or -errno. */
static int exchange(int fd, const char *text, char *reply)
{
	size_t len = 0;
	ssize_t got;

	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 || send(fd, "\n", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	while (len < REPLY_MAX) {
		got = recv(fd, reply + len, REPLY_MAX - len, 0);
		if (got <= 0)
			return got ? -errno : -ECONNRESET;
		len += got;
		if (reply[len - 1] == '\n')
			return len;
	}
	return -EMSGSIZE;
}

int ask_agent(const char *pin_dir, cJSON *request, cJSON **reply, struct err *err)
{
	char *text = cJSON_PrintUnformatted(request), *line = malloc(REPLY_MAX);
	int fd = connect_to(pin_dir, err), len;
	const char *refused;

	cJSON_Delete(request);
	*reply = NULL;
	if (fd < 0) {
		len = fd;
		goto free;
	}
	len = text && line ? exchange(fd, text, line) : -ENOMEM;
	close(fd);
	if (len > 0)
		*reply = cJSON_ParseWithLength(line, len);
	refused = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(*reply, "error"));
	if (refused) {
		len = err_set(err, STATUS_STATE, EBUSY, "%s", refused);
		cJSON_Delete(*reply);
		*reply = NULL;
	} else if (!*reply) {
		len = err_set(err, STATUS_SYSTEM, len < 0 ? len : EPROTO,
			      "the agent gives no answer: %s", strerror(len < 0 ? -len : EPROTO));
	}
free:
	free(text);
	free(line);
	return len < 0 ? len : 0;
}
