/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "insert.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>

static int insert_batch(int program, struct natxdp_insertion *items, unsigned int count)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = items,
		    .data_size_in = count * sizeof(*items), .data_out = items,
		    .data_size_out = count * sizeof(*items), .repeat = 1);

	for (unsigned int i = 0; i < count; i++)
		items[i].result = NATXDP_INSERT_NONE;
	if (bpf_prog_test_run_opts(program, &run))
		return -errno;
	return run.retval == XDP_PASS ? 0 : -EPROTO;
}

int insert_flows(int program, struct natxdp_insertion *items, unsigned int count)
{
	unsigned int done, batch;
	int ret = 0;

	for (done = 0; !ret && done < count; done += batch) {
		batch = count - done < NATXDP_INSERT_BATCH ? count - done : NATXDP_INSERT_BATCH;
		ret = insert_batch(program, items + done, batch);
	}
	return ret;
}
