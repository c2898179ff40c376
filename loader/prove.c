/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The probe through a NAT that runs, so that nothing of it stays. */
#include <bpf/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "due.h"
#include "instance.h"
#include "nat.h"
#include "probe.h"
#include "table.h"
#include "tunnels.h"

enum { SWEPT_MAX_MS = 3000 }; /* a sweep takes one second, more on a machine that is busy */

static void add(__u64 *count, __u64 n)
{
	__atomic_fetch_add(count, n, __ATOMIC_RELAXED);
}

bool prove_is_swept(const struct nat *nat, const struct natxdp_probe_end *end)
{
	__u32 slot = end->slot - 1, bucket = slot / NATXDP_WAYS;
	struct natxdp_bucket copy = { 0 };
	const struct natxdp_key *key = &copy.way[slot % NATXDP_WAYS].key;

	/* a table that was replaced has taken no ended flows over */
	return bpf_map_lookup_elem(nat->map[NAT_MAP_flow_table], &bucket, &copy) ||
	       key->word[0] != end->key[0] || key->word[1] != end->key[1];
}

/*
 * A free place for an end, after those that were swept have been counted; NULL if there is none.
 * @left: how many there are still.
 */
static struct natxdp_probe_end *fold_ends(struct natxdp_probes *probes, const struct nat *nat,
					  unsigned int *left)
{
	struct natxdp_probe_end *place = NULL;

	*left = 0;
	for (int i = 0; i < NATXDP_PROBE_ENDS; i++) {
		struct natxdp_probe_end *end = &probes->end[i];
		__u32 slot = end->slot;

		if (slot && prove_is_swept(nat, end) &&
		    __sync_bool_compare_and_swap(&end->slot, slot, 0))
			add(&probes->flows_expired, 1);
		if (end->slot)
			++*left;
		else
			place = end;
	}
	return place;
}

/* A free place, once there are no more than @most ends; or NULL, it took too long. */
static struct natxdp_probe_end *wait_for_ends(struct natxdp_probes *probes, const struct nat *nat,
					      unsigned int most)
{
	unsigned int left;
	struct natxdp_probe_end *place = fold_ends(probes, nat, &left);

	for (int ms = 0; left > most && ms < SWEPT_MAX_MS; ms++) {
		usleep(1000);
		place = fold_ends(probes, nat, &left);
	}
	return place;
}

/* The data plane shall know the flow of the probe as one. What ended of another before is swept. */
static void name_flow(const struct nat *nat, struct natxdp_agent *agent,
		      const struct natxdp_key *key)
{
	struct natxdp_key named = agent->probe;

	named.tenant = key->tenant;
	if (!memcmp(&named, key, sizeof(named)))
		return;
	wait_for_ends(&agent->probes, nat, 0);
	agent->probe = *key;
}

static void end_flow(const struct nat *nat, struct natxdp_probes *probes, struct table *table,
		     const struct flow_view *view)
{
	struct natxdp_probe_end *end = wait_for_ends(probes, nat, NATXDP_PROBE_ENDS - 1);
	uint32_t now = table_ticks_now();
	struct natxdp_key key = view->out.key;

	key.tenant = NATXDP_TENANT_ENDED;
	if (!end || !table_end_flow(table, view, now))
		return; /* it is found when it times out, and counted */
	end->key[0] = key.word[0];
	end->key[1] = key.word[1];
	__atomic_store_n(&end->slot, view->slot + 1, __ATOMIC_RELEASE);
	due_bucket(nat, view->slot / NATXDP_WAYS, now);
}

static int run_attached(struct probe *probe, const struct instance *instance,
			const struct pool *pool)
{
	int program[NATXDP_DEVS_MAX], ret;

	for (unsigned int i = 0; i < instance->link_count; i++)
		program[i] = bpf_prog_get_fd_by_id(instance->link[i].entry);
	ret = probe_run(probe, instance, program, pool);
	for (unsigned int i = 0; i < instance->link_count; i++) {
		if (program[i] >= 0)
			close(program[i]);
	}
	return ret;
}

__u16 prove_tenant(const struct probe *probe, const struct nat *nat)
{
	const struct natxdp_tunnel *tunnels = probe->lb ? tunnels_map(nat) : NULL;
	__u16 tenant = NATXDP_TENANT_NONE;
	struct tunnel_id id;

	for (int i = 1; tunnels && i < NATXDP_TUNNELS_MAX; i++) {
		if (tunnels[i].state != NATXDP_TUNNEL_VALID || tunnels[i].lb != probe->lb ||
		    tunnels[i].own != probe->own)
			continue;
		tunnel_read_id(&tunnels[i], &id);
		if (!id.endpoint && !id.attachment && !id.vni)
			tenant = i;
	}
	tunnels_unmap(tunnels);
	return tenant;
}

int prove(struct probe *probe, const struct nat *nat, const struct instance *instance,
	  const struct pool *pool)
{
	struct natxdp_agent *agent = mmap(NULL, sizeof(*agent), PROT_READ | PROT_WRITE, MAP_SHARED,
					  nat->map[NAT_MAP_agent], 0);
	struct natxdp_key key;
	struct flow_view view;
	struct table table;
	bool known;
	int ret;

	if (agent == MAP_FAILED || table_open(&table, nat, TABLE_WRITE)) {
		if (agent != MAP_FAILED)
			munmap(agent, sizeof(*agent));
		return run_attached(probe, instance, pool);
	}
	probe_key(probe, instance, &key);
	key.tenant = prove_tenant(probe, nat);
	name_flow(nat, agent, &key);
	known = table_find(&table, &nat->config.geometry, &key, &view);
	ret = run_attached(probe, instance, pool);
	for (int i = 0; i < NATXDP_PROBE_WAYS; i++)
		add(&agent->probes.packets[i], probe->sent.packets[i]);
	key.tenant = prove_tenant(probe, nat); /* the first probe has made its tunnel */
	if (table_find(&table, &nat->config.geometry, &key, &view)) {
		add(&agent->probes.flows_opened, !known);
		end_flow(nat, &agent->probes, &table, &view);
	}
	table_close(&table);
	munmap(agent, sizeof(*agent));
	return ret;
}
