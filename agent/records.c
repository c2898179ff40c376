/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "records.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "err.h"
#include "json.h"
#include "sinks.h"

enum {
	PACE_MS = 100,	 /* the default ring holds 47,000 records: enough for 470,000 a second */
	FLUSH_EVERY = 10 /* looks, before a batch that is not full goes to Logs */
};

struct records {
	struct agent *agent;
	struct ring_buffer *ring;
	int timer;
	unsigned int looks;
	struct record_clock clock;
	struct filesink *file;
	struct ipfix *ipfix;
	struct logsink *logs;
	uint64_t read, filtered;
	struct sink_counts told; /* what keep has of the sinks' counts */
};

static void set_wanted(const struct records *records, uint32_t wanted)
{
	struct natxdp_agent *map = records->agent->source.agent;

	map->sample = records->agent->conf.record_sample;
	__atomic_store_n(&map->wanted, wanted, __ATOMIC_RELEASE);
}

static int take(void *ctx, void *data, size_t size)
{
	struct records *records = ctx;
	const struct natxdp_record *record = data;
	char line[RECORD_JSON_MAX];
	size_t len;

	if (size < sizeof(*record))
		return 0;
	records->read++;
	if (!record_wanted(record, &records->agent->conf)) {
		records->filtered++;
		return 0;
	}
	if (records->ipfix)
		ipfix_add(records->ipfix, record, &records->clock);
	if (!records->file && !records->logs)
		return 0;
	len = record_json(record, &records->clock, line);
	if (records->file)
		filesink_add(records->file, line, len);
	if (records->logs)
		logsink_add(records->logs, records->clock.wall_ms, line, len);
	return 0;
}

static int join(struct records *records, struct err *err)
{
	uint32_t wanted = NATXDP_RECORD_CLOSES;

	records->ring = ring_buffer__new(records->agent->source.files.map[SOURCE_RECORDS], take,
					 records, NULL);
	if (!records->ring)
		return err_set(err, STATUS_KERNEL, errno, "map records: cannot be read: %s",
			       strerror(errno));
	if (records->agent->conf.records == RECORDS_ALL)
		wanted |= NATXDP_RECORD_OPENS;
	set_wanted(records, wanted);
	return 0;
}

static struct sink_counts count_all(const struct records *records)
{
	struct sink_counts each[3] = { { 0, 0 } }, sum = { 0, 0 };

	if (records->file)
		each[0] = filesink_counts(records->file);
	if (records->ipfix)
		each[1] = ipfix_counts(records->ipfix);
	if (records->logs)
		each[2] = logsink_counts(records->logs);
	for (int i = 0; i < 3; i++) {
		sum.written += each[i].written;
		sum.lost += each[i].lost;
	}
	return sum;
}

static void tell(struct records *records)
{
	struct sink_counts sum = count_all(records);
	struct keep *keep = records->agent->source.keep;

	keep_add(keep, KEEP_RECORDS, sum.written - records->told.written);
	keep_add(keep, KEEP_RECORDS_LOST, sum.lost - records->told.lost);
	records->told = sum;
}

static void look(void *ctx)
{
	struct records *records = ctx;

	records->clock.wall_ms = loop_wall_ms();
	records->clock.tick = table_ticks_now();
	if (records->ring)
		ring_buffer__consume(records->ring);
	if (records->ipfix)
		ipfix_flush(records->ipfix, records->clock.wall_ms);
	if (records->file)
		filesink_flush(records->file);
	if (records->logs && ++records->looks % FLUSH_EVERY == 0)
		logsink_flush(records->logs);
	tell(records);
}

static int open_sinks(struct records *records, struct err *err)
{
	const struct conf *conf = &records->agent->conf;
	char host[128] = "natxdp", stream[CONF_TEXT_MAX];

	if (*conf->record_file) {
		records->file = filesink_open(conf->record_file, conf->record_file_size,
					      conf->record_file_count, err);
		if (!records->file)
			return -EIO;
	}
	if (*conf->record_ipfix) {
		records->ipfix = ipfix_open(conf->record_ipfix, 1, err);
		if (!records->ipfix)
			return -EIO;
	}
	if (*conf->record_logs) {
		gethostname(host, sizeof(host) - 1);
		snprintf(stream, sizeof(stream), "flows/%.100s/%.100s", conf->nat_id, host);
		records->logs = logsink_open(records->agent, conf->record_logs, stream);
		if (!records->logs)
			return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	}
	return 0;
}

struct records *records_start(struct agent *agent, struct err *err)
{
	struct records *records = calloc(1, sizeof(*records));

	if (!records) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	records->agent = agent;
	records->timer = -1;
	if (open_sinks(records, err))
		goto fail;
	records->timer = loop_timer(agent->loop, look, records);
	if (records->timer < 0) {
		err_set(err, STATUS_SYSTEM, EMFILE, "no timers: too many open files");
		goto fail;
	}
	if (join(records, err))
		goto fail;
	loop_timer_every(records->timer, PACE_MS);
	return records;
fail:
	records_stop(records);
	return NULL;
}

void records_leave(struct records *records)
{
	set_wanted(records, 0);
	look(records);
	ring_buffer__free(records->ring);
	records->ring = NULL;
}

int records_follow(struct records *records, struct err *err)
{
	return join(records, err);
}

void records_stop(struct records *records)
{
	if (!records)
		return;
	set_wanted(records, 0);
	if (records->ring && records->timer >= 0)
		look(records);
	if (records->logs) {
		logsink_drop(records->logs);
		tell(records);
	}
	ring_buffer__free(records->ring);
	loop_timer_free(records->agent->loop, records->timer);
	filesink_close(records->file);
	ipfix_close(records->ipfix);
	logsink_close(records->logs);
	free(records);
}

static void add_sink(cJSON *object, const char *name, struct sink_counts counts)
{
	cJSON *item = cJSON_AddObjectToObject(object, name);

	json_add_count(item, "written", counts.written);
	json_add_count(item, "lost", counts.lost);
}

void records_status(const struct records *records, struct cJSON *object)
{
	json_add_count(object, "read", records->read);
	json_add_count(object, "filtered", records->filtered);
	json_add_count(object, "lost_by_data_plane", records->agent->records_lost);
	if (records->file)
		add_sink(object, "file", filesink_counts(records->file));
	if (records->ipfix)
		add_sink(object, "ipfix", ipfix_counts(records->ipfix));
	if (records->logs)
		add_sink(object, "logs", logsink_counts(records->logs));
}
