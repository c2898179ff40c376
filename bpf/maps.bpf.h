/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps. Their meaning stands in include/natxdp; sizes of 1 are set by the loader. */
#ifndef NATXDP_MAPS_BPF_H
#define NATXDP_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <natxdp/config.h>
#include <natxdp/flow.h>
#include <natxdp/reasons.h>

/* Known when the program is loaded, so that the verifier and the JIT see constants. */
SEC(".rodata.geometry") const volatile struct natxdp_geometry geometry = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_bucket);
} flow_table SEC(".maps");

/* BPF_F_MMAPABLE is also what aligns the values of an array to cache lines. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_tags);
} flow_tags SEC(".maps");

/* A map with a lock cannot be mmapped, so the locks stand beside the table. */
struct flow_lock {
	struct bpf_spin_lock lock;
	__u32 inserts; /* under this lock so far */
	__u32 pad[14]; /* one cache line each */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NATXDP_STRIPES);
	__type(key, __u32);
	__type(value, struct flow_lock);
} flow_locks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_due);
} flow_due SEC(".maps");

struct sweep {
	struct bpf_timer timer;
	__u32 cursor; /* due group at which the next tick goes on */
	__u32 began;  /* tick at which this pass began; 0: it is the first */
	/* the longest timeout when this pass began, and the one before */
	__u32 longest[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sweep);
} sweep_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NATXDP_POOL_MAX);
	__type(key, __u32);
	__type(value, struct natxdp_pool);
} ext_pool SEC(".maps");

/* The hash maps are for many more elements than most have: each takes memory as it comes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NATXDP_OWN_ADDRS_MAX);
	__type(key, __be32);
	__type(value, __u32);
} own_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NATXDP_PREFIXES_MAX);
	__type(key, struct natxdp_prefix);
	__type(value, __u32);
} inside_nets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NATXDP_PREFIXES_MAX);
	__type(key, struct natxdp_prefix);
	__type(value, __u32);
} no_nat_nets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_host_ports);
} host_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NATXDP_NEXT_HOPS_MAX);
	__type(key, __u32);
	__type(value, struct natxdp_next_hop);
} next_hops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NATXDP_NEXT_HOPS_MAX);
	__type(key, struct natxdp_next_hop_key);
	__type(value, __u32);
} next_hop_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, NATXDP_DEVS_MAX);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} egress_devs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NATXDP_PORT_HINTS);
	__type(key, __u32);
	__type(value, struct natxdp_port_hint);
} port_hints SEC(".maps");

/* Inside addresses under a limit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NATXDP_HOSTS_MAX);
	__type(key, __be32);
	__type(value, struct natxdp_host);
} hosts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NATXDP_BLOCKED_MAX);
	__type(key, __be32);
	__type(value, __u64);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_counters);
} counters SEC(".maps");

static __always_inline int in_prefixes(void *lpm, __be32 addr)
{
	struct natxdp_prefix key = { .bits = 32, .addr = addr };

	return !!bpf_map_lookup_elem(lpm, &key);
}

static __always_inline struct natxdp_config *config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

#endif
