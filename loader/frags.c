/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "frags.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "hold.h"
#include "instance.h"
#include "nat.h"

/* For each CPU: twice what the data plane hands over in one of its ticks. */
enum { BUFFER_BYTES = 128 << 10 };

struct program {
	uint32_t ifindex;
	uint32_t id;
	int fd;
};

struct frags {
	const struct nat *nat;
	const char *pin_dir;
	struct hold_counters *counters;
	struct hold *hold;
	struct perf_buffer *arrivals;
	int timer;
	bool timer_runs;
	unsigned int program_count;
	struct program program[NATXDP_DEVS_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void receive(void *data, int cpu, void *sample, __u32 size)
{
	const struct natxdp_held *held = sample;
	struct frags *frags = data;

	(void)cpu;
	if (size < sizeof(*held) || held->len > size - sizeof(*held))
		frags->counters->lost++;
	else
		hold_add(frags->hold, held, held + 1, now_ns());
}

static void count_lost(void *data, int cpu, __u64 count)
{
	struct frags *frags = data;

	(void)cpu;
	frags->counters->lost += count;
}

struct frags *frags_open(const struct nat *nat, const char *pin_dir, struct hold_counters *counters,
			 struct err *err)
{
	struct frags *frags = calloc(1, sizeof(*frags));

	if (!frags)
		goto fail;
	frags->nat = nat;
	frags->pin_dir = pin_dir;
	frags->counters = counters;
	frags->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	frags->hold = hold_new(counters);
	if (frags->timer < 0 || !frags->hold)
		goto fail;
	frags->arrivals = perf_buffer__new(nat->map[NAT_MAP_held_frags],
					   BUFFER_BYTES / sysconf(_SC_PAGESIZE), receive,
					   count_lost, frags, NULL);
	if (frags->arrivals)
		return frags;
fail:
	err_set(err, STATUS_SYSTEM, errno, "fragments that come too early cannot be held: %s",
		strerror(errno));
	frags_close(frags);
	return NULL;
}

static void close_programs(struct frags *frags)
{
	while (frags->program_count)
		close(frags->program[--frags->program_count].fd);
}

void frags_close(struct frags *frags)
{
	if (!frags)
		return;
	close_programs(frags);
	perf_buffer__free(frags->arrivals);
	hold_free(frags->hold);
	if (frags->timer >= 0)
		close(frags->timer);
	free(frags);
}

int frags_arrivals_fd(const struct frags *frags)
{
	return perf_buffer__epoll_fd(frags->arrivals);
}

int frags_timer_fd(const struct frags *frags)
{
	return frags->timer;
}

static bool are_current(const struct frags *frags, const struct instance *instance)
{
	if (frags->program_count != instance->link_count)
		return false;
	for (unsigned int i = 0; i < instance->link_count; i++) {
		if (frags->program[i].ifindex != instance->link[i].ifindex ||
		    frags->program[i].id != instance->link[i].entry)
			return false;
	}
	return true;
}

/*
 * A frame that XDP lets pass goes the way of one that has come in: by the
 * filters at TC. Returns a descriptor or -errno.
 */
static int load_passing(void)
{
	const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "natxdp_again", "GPL", instructions, 2, NULL);

	return fd < 0 ? -errno : fd;
}

/* What runs on the interfaces: an upgrade changes it. */
static void find_programs(struct frags *frags)
{
	struct instance instance;
	struct program *program;

	instance_look(&instance, frags->pin_dir);
	if (are_current(frags, &instance))
		return;
	close_programs(frags);
	for (unsigned int i = 0; i < instance.link_count; i++) {
		program = &frags->program[frags->program_count];
		program->ifindex = instance.link[i].ifindex;
		program->id = instance.link[i].entry;
		program->fd = instance.link[i].hook == HOOK_TC ? load_passing() :
								 bpf_prog_get_fd_by_id(program->id);
		frags->program_count += program->fd >= 0;
	}
}

static int program_of(const struct frags *frags, uint32_t ifindex)
{
	for (unsigned int i = 0; i < frags->program_count; i++) {
		if (frags->program[i].ifindex == ifindex)
			return frags->program[i].fd;
	}
	return -1;
}

/* As if the frame had come in by its interface just now. */
static int send_on(const struct hold_datagram *datagram, const struct hold_fragment *fragment,
		   void *data)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct xdp_md context = {
		.data_end = fragment->len,
		.ingress_ifindex = datagram->ifindex,
	};
	const struct frags *frags = data;

	opts.data_in = fragment->frame;
	opts.data_size_in = fragment->len;
	opts.ctx_in = &context;
	opts.ctx_size_in = sizeof(context);
	opts.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
	opts.repeat = 1;
	opts.batch_size = 1;
	return bpf_prog_test_run_opts(program_of(frags, datagram->ifindex), &opts);
}

static bool is_first_known(const struct frags *frags, const struct hold_datagram *datagram)
{
	/* the key of a NAT behind load balancers has a tenant, too */
	struct {
		struct natxdp_frag_key of;
		__u16 tenant, pad;
	} key = { .of = datagram->key, .tenant = NATXDP_TENANT_OUTSIDE };
	struct natxdp_frag first;

	return !bpf_map_lookup_elem(frags->nat->map[NAT_MAP_frags], &key, &first) &&
	       hold_is_first_known(datagram, &first);
}

static void look(struct frags *frags)
{
	struct hold_datagram *datagram = NULL;
	uint64_t now = now_ns();
	bool programs_known = false;

	hold_expire(frags->hold, now);
	while ((datagram = hold_next(frags->hold, datagram, now))) {
		if (!is_first_known(frags, datagram)) {
			hold_defer(datagram, now);
			continue;
		}
		if (!programs_known)
			find_programs(frags);
		programs_known = true;
		hold_release(frags->hold, datagram, now, send_on, frags);
	}
}

/* While nothing is held this process sleeps. */
static void set_timer(struct frags *frags)
{
	struct itimerspec pace = { 0 };
	bool wanted = !hold_is_empty(frags->hold);

	if (wanted == frags->timer_runs)
		return;
	if (wanted) {
		pace.it_value.tv_nsec = HOLD_PACE_MS * HOLD_MS;
		pace.it_interval = pace.it_value;
	}
	timerfd_settime(frags->timer, 0, &pace, NULL);
	frags->timer_runs = wanted;
}

void frags_step(struct frags *frags)
{
	uint64_t expirations;

	perf_buffer__consume(frags->arrivals);
	if (read(frags->timer, &expirations, sizeof(expirations)) > 0)
		look(frags);
	set_timer(frags);
}
