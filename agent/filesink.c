/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "sinks.h"

enum { BUFFER = 256 * 1024 };

struct filesink {
	char path[CONF_TEXT_MAX];
	int fd;
	uint64_t size, limit;
	uint32_t keep;
	char buffer[BUFFER];
	size_t used;
	uint32_t lines; /* in the buffer */
	struct sink_counts counts;
};

static int open_file(struct filesink *sink)
{
	struct stat st;

	sink->size = 0;
	sink->fd = open(sink->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (sink->fd < 0)
		return -errno;
	sink->size = fstat(sink->fd, &st) ? 0 : st.st_size;
	return 0;
}

struct filesink *filesink_open(const char *path, uint32_t size, uint32_t count, struct err *err)
{
	struct filesink *sink = calloc(1, sizeof(*sink));
	int ret;

	if (!sink) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	snprintf(sink->path, sizeof(sink->path), "%s", path);
	sink->limit = size;
	sink->keep = count;
	ret = open_file(sink);
	if (!ret)
		return sink;
	err_set(err, STATUS_CONFIG, ret,
		"record_file = %s: cannot write: %s: its directory must belong to the user of the agent",
		path, strerror(-ret));
	free(sink);
	return NULL;
}

/* FILE.2 goes, FILE.1 becomes FILE.2, FILE becomes FILE.1. */
static void rotate(struct filesink *sink)
{
	char from[CONF_TEXT_MAX + 16], to[CONF_TEXT_MAX + 16];

	close(sink->fd);
	for (uint32_t i = sink->keep - 1; i; i--) {
		snprintf(to, sizeof(to), "%s.%u", sink->path, i);
		if (i > 1)
			snprintf(from, sizeof(from), "%s.%u", sink->path, i - 1);
		else
			snprintf(from, sizeof(from), "%s", sink->path);
		rename(from, to);
	}
	if (sink->keep == 1)
		unlink(sink->path);
	open_file(sink);
}

/*
 * Half of what was to be written may be on the disk when it is full. Then the
 * last line there has no end, and is lost like those after it.
 */
static void write_out(struct filesink *sink)
{
	ssize_t done = sink->fd < 0 ? -1 : write(sink->fd, sink->buffer, sink->used);
	uint32_t lines = 0;

	for (const char *c = sink->buffer; done > 0 && c < sink->buffer + done; c++)
		lines += *c == '\n';
	if (done > 0 && sink->buffer[done - 1] != '\n' && write(sink->fd, "\n", 1) == 1)
		done++;
	sink->counts.written += lines;
	sink->counts.lost += sink->lines - lines;
	sink->size += done > 0 ? done : 0;
	sink->used = sink->lines = 0;
}

void filesink_flush(struct filesink *sink)
{
	if (sink->used)
		write_out(sink);
	if (sink->fd < 0)
		open_file(sink);
}

void filesink_add(struct filesink *sink, const char *line, size_t len)
{
	bool full = sink->size + sink->used + len > sink->limit;

	if (full || sink->used + len > BUFFER)
		filesink_flush(sink);
	if (full && sink->fd >= 0 && sink->size)
		rotate(sink);
	memcpy(sink->buffer + sink->used, line, len);
	sink->used += len;
	sink->lines++;
}

struct sink_counts filesink_counts(const struct filesink *sink)
{
	return sink->counts;
}

void filesink_close(struct filesink *sink)
{
	if (!sink)
		return;
	if (sink->fd >= 0)
		close(sink->fd);
	free(sink);
}
