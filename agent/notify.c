/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int notify_fd = -1;

void notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len;

	if (!path || (*path != '/' && *path != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, len);
	if (*path == '@') /* the abstract namespace */
		addr.sun_path[0] = '\0';
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify_fd >= 0 && connect(notify_fd, (struct sockaddr *)&addr,
				      offsetof(struct sockaddr_un, sun_path) + len)) {
		close(notify_fd);
		notify_fd = -1;
	}
}

void notify_send(const char *fmt, ...)
{
	char text[512];
	va_list args;
	int len;

	if (notify_fd < 0)
		return;
	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	/* a service manager that does not listen is not worth waiting for */
	if (send(notify_fd, text, len, MSG_NOSIGNAL) < 0)
		return;
}

uint32_t notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && atol(pid) != (long)getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 2000; /* twice as often as must be */
}
