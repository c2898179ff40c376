/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "opener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "sandbox.h"

enum { FILES_MAX = SOURCE_MAPS + 1 };

struct opener {
	struct loop *loop;
	opener_done done;
	void *ctx;
	int socket;
	pid_t child;
	bool asked;
	struct source_files answer;
};

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(FILES_MAX * sizeof(int))];
};

static void send_files(int socket, struct source_files *files)
{
	struct iovec data = { files, sizeof(*files) };
	union control control = { .space = { 0 } };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *header = &control.header;
	unsigned int count = 0;
	int fds[FILES_MAX];

	for (unsigned int i = 0; i < SOURCE_MAPS; i++) {
		if (files->map[i] >= 0)
			fds[count++] = files->map[i];
	}
	if (files->insert >= 0)
		fds[count++] = files->insert;
	if (count) {
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* What the agent has open is not this process's to keep alive. */
static void close_all_but(int fd)
{
	syscall(SYS_close_range, 3, fd - 1, 0);
	syscall(SYS_close_range, fd + 1, ~0u, 0);
}

static void serve(int socket, const char *pin_dir)
{
	static struct source_files files;
	char question;

	close_all_but(socket);
	if (sandbox_keep_opening())
		_exit(1);
	while (recv(socket, &question, 1, 0) == 1) {
		source_open_files(&files, pin_dir, true);
		send_files(socket, &files);
		source_close_files(&files);
	}
	_exit(0);
}

/* The numbers in the answer are the child's: ours come in the same order. */
static int receive(int socket, struct source_files *files)
{
	struct iovec data = { files, sizeof(*files) };
	union control control = { .space = { 0 } };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control),
	};
	ssize_t size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	unsigned int count = 0, next = 0;
	int fds[FILES_MAX];

	if (header && header->cmsg_type == SCM_RIGHTS) {
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(header), count * sizeof(int));
	}
	if (size != sizeof(*files)) {
		while (count)
			close(fds[--count]);
		return size < 0 ? -errno : -EPIPE;
	}
	for (unsigned int i = 0; i < SOURCE_MAPS; i++)
		files->map[i] = files->map[i] >= 0 && next < count ? fds[next++] : -1;
	files->insert = files->insert >= 0 && next < count ? fds[next++] : -1;
	return 0;
}

static void ready(void *ctx, int fd, uint32_t events)
{
	struct opener *opener = ctx;
	int ret = receive(fd, &opener->answer);

	(void)events;
	if (ret == -EAGAIN)
		return;
	opener->asked = false;
	if (!ret)
		opener->done(opener->ctx, &opener->answer);
	else
		loop_watch(opener->loop, fd, 0, NULL,
			   NULL); /* it is gone: nothing can be followed */
}

struct opener *opener_start(struct loop *loop, const char *pin_dir, opener_done done, void *ctx,
			    struct err *err)
{
	struct opener *opener = calloc(1, sizeof(*opener));
	int sockets[2];

	if (!opener || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets)) {
		free(opener);
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory or descriptors");
		return NULL;
	}
	opener->child = fork();
	if (!opener->child) {
		close(sockets[0]);
		serve(sockets[1], pin_dir);
	}
	close(sockets[1]);
	opener->loop = loop;
	opener->done = done;
	opener->ctx = ctx;
	opener->socket = sockets[0];
	if (opener->child > 0 && !loop_watch(loop, opener->socket, EPOLLIN, ready, opener))
		return opener;
	err_set(err, STATUS_SYSTEM, errno, "a process that opens maps cannot be started: %s",
		strerror(errno));
	opener_stop(opener);
	return NULL;
}

bool opener_ask(struct opener *opener)
{
	if (!opener->asked)
		opener->asked = send(opener->socket, "?", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
	return opener->asked;
}

void opener_stop(struct opener *opener)
{
	if (!opener)
		return;
	loop_watch(opener->loop, opener->socket, 0, NULL, NULL);
	close(opener->socket); /* it ends by that */
	if (opener->child > 0)
		waitpid(opener->child, NULL, 0);
	free(opener);
}
